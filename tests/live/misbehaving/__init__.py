"""A service with one mistake, which its environment names."""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.live.on_cluster import Images

SOURCE = Path(__file__).parent / "main.go"
DOCKERFILE = 'FROM scratch\nCOPY server /server\nUSER 65532:65532\nENTRYPOINT ["/server"]\n'


def image_of(images: Images, place: Path, services: Iterable[str]) -> str:
    """The digest of its image, in the registry as that of these services."""
    build = ["go", "build", "-ldflags=-s -w", "-o", str(place / "server"), str(SOURCE)]
    subprocess.run(build, check=True, env={**os.environ, "CGO_ENABLED": "0"})
    (place / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    return images.built(place, services)
