"""Repositories of images."""

from policy.control import Control

REPOSITORY = ("aws:ecr/repository:Repository",)
RETENTION = "aws:ecr/lifecyclePolicy:LifecyclePolicy"

ROWS = (
    Control(
        "ECR.1",
        REPOSITORY,
        "Images are scanned when they are pushed",
        lambda it, _: it.on("imageScanningConfiguration.scanOnPush"),
        {"imageScanningConfiguration": {"scanOnPush": False}},
    ),
    Control(
        "ECR.2",
        REPOSITORY,
        "A tag cannot be given to another image",
        lambda it, _: it.get("imageTagMutability") == "IMMUTABLE",
        {"imageTagMutability": "MUTABLE"},
    ),
    Control(
        "ECR.3",
        REPOSITORY,
        "Old images are removed",
        lambda it, graph: bool(graph.users(it, RETENTION)),
        RETENTION,
        wired=True,
    ),
)
