"""How a service's image is built: for whoever builds it. The program itself takes the image by its digest."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from components.model import Model

Folder = Annotated[str, Field(min_length=1)]


class Build(Model):
    """A folder with a Dockerfile, and what the builder is told. `build: ../api` is short for `{context: ../api}`."""

    context: Folder = Field(
        description="Folder that the builder gets, from the folder of Pulumi.yaml; .dockerignore leaves things out."
    )
    dockerfile: Folder = Field(default="Dockerfile", description="The Dockerfile, from `context`.")
    target: Folder | None = Field(default=None, description="Stage of the Dockerfile to build; unset: the last one.")
    args: dict[str, str] = Field(
        default={}, description="Build arguments. VERSION, which is also the image's tag, is given in any case."
    )
    run: Folder | None = Field(
        default=None,
        description="Shell command that makes what the Dockerfile copies, such as a compiled binary: run in `context`"
        " before the build, with VERSION and TARGETARCH (amd64, arm64) in its environment.",
    )


def _folder_alone(value: Any) -> Any:
    return {"context": value} if isinstance(value, str) else value


BuildOrFolder = Annotated[Build, BeforeValidator(_folder_alone)]
