"""A region of AWS, as options take it."""

import click


class Region(click.ParamType[str]):
    """One that AWS has."""

    name = "region"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name; fails where AWS has none of it."""
        # They load the SDK, which the help must not wait for.
        from components.regions import regions
        from config.problems import nearest

        if value not in regions():
            self.fail(
                f"want a region that AWS has, such as eu-central-1, not {value!r}{nearest(value, sorted(regions()))}",
                param,
            )
        return value
