"""A registry of this machine that asks who pulls, and who pushes."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live.project import REQUIRED
from yard import machine

USER, PASSWORD = "robot", "s3cr3t-token"
HTPASSWD = f"{USER}:$2b$04$1YX9QBP8qm5mrozFAbvQreVtXsFNJ.rCis.syU5S9M77if8g5hR..\n"
"""bcrypt of the password."""
CONFIG = """
version: "0.1"
storage: {filesystem: {rootdirectory: %(home)s/storage}}
http: {addr: "%(host)s"}
auth: {htpasswd: {realm: registry, path: %(home)s/htpasswd}}
"""


@contextmanager
def login_registry(home: Path, host: str) -> Iterator[None]:
    """Runs at `host` (localhost and a port), with its files in `home`."""
    program = shutil.which("docker-registry")
    if program is None:
        (pytest.fail if REQUIRED else pytest.skip)("no docker-registry to ask for a login: install docker-registry")
    home.mkdir()
    (home / "htpasswd").write_text(HTPASSWD, encoding="utf-8")
    (home / "config.yml").write_text(CONFIG % {"home": home, "host": host}, encoding="utf-8")
    with subprocess.Popen(
        [program, "serve", str(home / "config.yml")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as registry:
        while not machine.registry_answers(host):
            assert registry.poll() is None, "the registry ended by itself"
            time.sleep(0.1)
        try:
            yield
        finally:
            registry.terminate()
