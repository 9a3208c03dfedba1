"""The example's Dockerfile, and those of docs/dockerfiles.md: what can be read out of them without building one."""

import json
import re
from collections.abc import Iterator

import pytest

from components.edge.proxy import IMAGE as PROXY_IMAGE
from tests.program import ROOT
from yard.machine import REGISTRY_IMAGE

EXAMPLE = (ROOT / "app/Dockerfile").read_text(encoding="utf-8")
PAGE = (ROOT / "docs/dockerfiles.md").read_text(encoding="utf-8")
OTHERS = dict(re.findall(r"^## (\w+)\n.*?^```dockerfile\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
Instruction = tuple[str, str]
RESERVED = {"scratch", "context"}
"""Names that a stage may not have (https://docs.docker.com/reference/build-checks/reserved-stage-name/)."""


def instructions(text: str) -> Iterator[Instruction]:
    """Each with its arguments, on one line."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in filter(None, "\n".join(lines).replace("\\\n", " ").splitlines()):
        name, _, rest = line.partition(" ")
        yield name, " ".join(rest.split())


def stages(text: str) -> dict[str, list[Instruction]]:
    """By name, what is done in a stage and in those that it begins from; the last one's name may be empty."""
    found: dict[str, list[Instruction]] = {}
    stage: list[Instruction] = []
    for name, rest in instructions(text):
        if name == "FROM":
            *_, base, _as, own = ["", *rest.split(), *([] if " AS " in rest else ["AS", ""])]
            stage = found[own] = [*found.get(base, [])]
        else:
            stage.append((name, rest))
    return found


def arguments(text: str) -> dict[str, str]:
    """The build arguments before the first stage, and their defaults."""
    head = text.partition("\nFROM ")[0]
    return dict(rest.partition("=")[::2] for name, rest in instructions(head) if name == "ARG")


class TestTheExample:
    STAGES = stages(EXAMPLE)

    def test_the_default_is_the_binary_alone(self) -> None:
        assert [*self.STAGES][-1] == "final"
        assert [each for each in self.STAGES["final"] if each[0] == "COPY"] == [
            ("COPY", "--from=build /src/bin/api /api")
        ]
        assert "FROM scratch AS runtime" in EXAMPLE
        assert not {*self.STAGES} & RESERVED

    @pytest.mark.parametrize("target", ["prebuilt", "distroless", "alpine"])
    def test_every_target_does_the_same_as_the_default(self, target: str) -> None:
        mine, default = ({each for each in self.STAGES[name] if each[0] != "COPY"} for name in (target, "final"))
        assert mine == default
        assert [rest.split()[-1] for name, rest in self.STAGES[target] if name == "COPY"] == ["/api"]

    def test_nothing_is_pulled_before_the_target_that_is_packed(self) -> None:
        """The classic builder runs every stage up to its target."""
        before = EXAMPLE.partition("FROM runtime AS prebuilt")[0]
        assert re.findall(r"^FROM (\S+)", before, re.MULTILINE) == ["scratch"]

    def test_it_compiles_with_the_modules_own_go(self) -> None:
        (version,) = re.findall(r"^go (\S+)$", (ROOT / "app/go.mod").read_text(encoding="utf-8"), re.MULTILINE)
        assert arguments(EXAMPLE)["GO_IMAGE"].startswith((f"golang:{version}.", f"golang:{version}-"))

    def test_every_base_is_named_by_its_digest(self) -> None:
        bases = {each.partition(" ")[0] for each in arguments(EXAMPLE).values() if ":" in each}
        assert len(bases) == 3
        assert all(re.fullmatch(r"\S+:\S+@sha256:[0-9a-f]{64}", base) for base in bases)

    def test_the_readme_knows_its_arguments_and_targets(self) -> None:
        readme = (ROOT / "app/README.md").read_text(encoding="utf-8")
        declared = {rest.partition("=")[0] for name, rest in instructions(EXAMPLE) if name == "ARG"}
        for name in declared - {"TARGETOS", "TARGETARCH"}:
            assert f"`{name}`" in readme
        for name in ("final", "prebuilt", "distroless", "alpine"):
            assert f"`{name}`" in readme
        assert f"`{arguments(EXAMPLE)['GO_IMAGE'].partition('@')[0]}`" in readme


@pytest.mark.parametrize("language", ["Python", "Node", "Java"])
class TestTheOthers:
    """What the page says is expected."""

    def last(self, language: str) -> dict[str, str]:
        """The instructions of the image itself; each stands once."""
        found = stages(OTHERS[language])[""]
        return dict(each for each in found if each[0] != "COPY")

    def test_it_is_nobody_special_and_gets_its_signals(self, language: str) -> None:
        image = self.last(language)
        assert image["USER"] == "65532:65532"
        assert image["EXPOSE"] == "8080"
        assert json.loads(image["ENTRYPOINT"])[0] not in ("sh", "npm"), "they would get the SIGTERM"

    def test_it_says_whether_it_is_healthy(self, language: str) -> None:
        _, _, command = self.last(language)["HEALTHCHECK"].partition("CMD ")
        assert "http://127.0.0.1:8080/healthz" in json.loads(command)[-1]

    def test_the_version_is_an_argument_and_the_cache_stays_in_the_builder(self, language: str) -> None:
        versions = arguments(OTHERS[language])
        assert f"{language.upper()}_VERSION" in versions
        assert all(
            "${" in base or base == "scratch" for base in re.findall(r"^FROM (\S+)", OTHERS[language], re.MULTILINE)
        )
        installs = [rest for name, rest in instructions(OTHERS[language]) if name == "RUN"]
        assert installs
        assert all(each.startswith("--mount=type=cache,") for each in installs)


def test_the_page_has_one_for_each_language() -> None:
    assert {*OTHERS} == {"Python", "Node", "Java"}


def test_what_is_pulled_is_named_by_digest() -> None:
    """A tag can be put on another image."""
    by_name = dict(re.findall(r"^ARG (\w+)=(\S+:\S+)$", EXAMPLE, re.MULTILINE))
    begun = {words.split()[-3] for name, words in instructions(EXAMPLE) if name == "FROM" and "$" in words.split()[-3]}
    assert begun == {f"${{{name}}}" for name in by_name}
    assert all(re.search("@sha256:[0-9a-f]{64}$", each) for each in (*by_name.values(), REGISTRY_IMAGE, PROXY_IMAGE))
