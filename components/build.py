"""How a service's image is built: for whoever builds it. The program itself takes the image by its digest."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from components.model import Model, Wanted

Folder = Annotated[str, Field(min_length=1)]
Platform = Annotated[Literal["linux/amd64", "linux/arm64"], Wanted("linux/amd64 or linux/arm64")]
PLATFORMS: dict[str, Platform] = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}
"""What a service calls a CPU -> what builders call it."""


def _list_to_tuple(value: Any) -> Any:
    """What comes by way of `_folder_alone` is no JSON any more, of which a strict model takes a list for a tuple."""
    return tuple(value) if isinstance(value, list) else value


class Build(Model):
    """A folder with a Dockerfile, and how it is built. `build: ../api` is short for `{context: ../api}`."""

    context: Folder = Field(
        description="Folder that the builder gets, as a path from the folder of Pulumi.yaml. Its .dockerignore"
        " leaves files out."
    )
    dockerfile: Folder = Field(default="Dockerfile", description="The Dockerfile, as a path from `context`.")
    target: Folder | None = Field(default=None, description="Stage of the Dockerfile to build. Unset: the last one.")
    args: dict[str, str] = Field(
        default={}, description="Build arguments. VERSION, which is also the image's tag, is always given."
    )
    run: Folder | None = Field(
        default=None,
        description="Shell command that makes what the Dockerfile copies, such as a compiled binary. It runs in"
        " `context` before the build, with VERSION and TARGETARCH (amd64, arm64) in its environment.",
    )
    platforms: Annotated[tuple[Platform, ...], BeforeValidator(_list_to_tuple)] = Field(
        default=(),
        description="Platforms that `yard deploy` builds the image for, such as [linux/amd64, linux/arm64]. The one"
        " of `architecture` must be among them. Unset: only that one. More than one needs Docker's plugin buildx.",
    )

    @model_validator(mode="after")
    def _run_makes_files_of_one_platform(self) -> "Build":
        if self.run and len(set(self.platforms)) > 1:
            raise ValueError(
                "run makes files for one platform, and platforms has several: make them in the Dockerfile, which is"
                " built for each, with TARGETARCH"
            )
        return self

    def lacks(self, architecture: str) -> str | None:
        """What is wrong where the replicas' CPU is not among the platforms."""
        platform = PLATFORMS[architecture]
        if not self.platforms or platform in self.platforms:
            return None
        return (
            f"build.platforms has no {platform}, and replicas run on {architecture}: add it, or set `architecture` to"
            " the CPU that the image is for"
        )


def _folder_alone(value: Any) -> Any:
    return {"context": value} if isinstance(value, str) else value


BuildOrFolder = Annotated[Build, BeforeValidator(_folder_alone)]
