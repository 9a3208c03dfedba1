"""A Docker engine, where the stack runs on one or its images are built with one; and the registry the images go to."""

import shutil
from contextlib import closing
from urllib.error import HTTPError

from docker.errors import DockerException
from requests.exceptions import RequestException

from components.direct import LOOPBACK, open_url
from components.docker_engine import SwarmError, check_manager, connect
from yard import suggest
from yard.checks import TIMEOUT, Finding, fail, ok, warn
from yard.local import STACK


def swarm(host: str, local: bool) -> Finding:
    """The engine that runs the stack, and its swarm. `local`: `yard up` makes one where there is none."""
    try:
        with closing(connect(host, TIMEOUT)) as engine:
            info = engine.info()
            engine_is = f"Docker {info['ServerVersion']} at {host}"
            if local and info.get("Swarm", {}).get("LocalNodeState", "inactive") == "inactive":
                return ok("docker", f"{engine_is}, in no swarm yet: `{suggest.yard('up')}` makes it one of one node")
            check_manager(engine, host)
            return ok("docker", f"{engine_is}, a manager of its swarm")
    except SwarmError as error:
        says, _, fix = str(error).partition(": ")
        return fail("docker", says, fix)
    except (DockerException, RequestException) as error:
        return fail(
            "docker", f"the Docker engine at {host} stopped answering ({error})", "see its log, or start it anew"
        )


def builds(host: str) -> Finding:
    """An engine to build and push images with; CI may have another."""
    fix = "https://docs.docker.com/engine/install/; not needed where CI builds the images"
    if shutil.which("docker") is None:
        return warn("docker", "no docker on PATH, so images cannot be built and pushed from here", fix)
    try:
        with closing(connect(host, TIMEOUT)) as engine:
            return ok("docker", f"Docker {engine.info()['ServerVersion']} at {host}, to build and push images")
    except (SwarmError, DockerException, RequestException):
        return warn(
            "docker", f"no Docker engine answers at {host}, so images cannot be built and pushed from here", fix
        )


def registry(host: str, stack: str) -> Finding:
    """That a registry answers. From here: whoever runs the replicas may see another net."""
    if is_registry(host):
        return ok("registry", f"{host} answers")
    if stack == STACK and host.partition(":")[0] in LOOPBACK:
        return ok("registry", f"none answers at {host} yet: `{suggest.yard('up')}` starts one")
    return warn(
        "registry",
        f"no registry answers at {host} from here",
        f"check the name and the way to it: curl -i {_url(host)}",
    )


def _url(host: str) -> str:
    return f"{'http' if host.partition(':')[0] in LOOPBACK else 'https'}://{host}/v2/"


def is_registry(host: str) -> bool:
    """Whether the registry API answers; it may want a login first."""
    try:
        with open_url(_url(host), TIMEOUT):
            return True
    except HTTPError as error:
        return error.code == 401
    except OSError:
        return False
