"""The proxy of stack local: its image, pulled, or built from source where none can be; and what is left of it."""

import os
import subprocess
import sys
from collections.abc import Collection
from typing import Any

from docker.errors import APIError, DockerException, ImageNotFound

from components.edge.proxy import IMAGE, VERSION
from config.place import HOME
from yard.machine import Machine, MachineError

BUILT = f"switchyard-proxy:{VERSION}"
"""What tools/proxy puts on the engine."""


def have_image(here: Machine, wanted: str) -> None:
    """Have its image on the engine. One that the stack names itself is its own to have. The usual one is pulled, else
    built; what was built stays the stack's, for another image would be another container."""
    if wanted not in (IMAGE, BUILT) or is_there(here, wanted):
        return
    if wanted == IMAGE:
        here.say("the proxy: pulling its image")
        try:
            here.client.images.pull(IMAGE)
            return
        except DockerException:
            here.say("the proxy: its image cannot be pulled, so it is built from source, once")
    is_known = is_there(here, BUILT)
    here.notes.write(proxy=BUILT, proxy_is_ours=here.notes.read().get("proxy_is_ours", not is_known))
    if is_known:
        return
    tool, env = [sys.executable, "-m", "tools.proxy"], {**os.environ, "DOCKER_HOST": here.host}
    done = subprocess.run(tool, cwd=HOME, env=env, stdout=subprocess.DEVNULL)  # what it says goes to standard error
    if done.returncode:
        raise MachineError(
            "the proxy's image can neither be pulled nor built, and why is above. Without `edge`, `proxy`,"
            " `plain-http` and `gate` in config/Pulumi.local.yaml each service has a port of its own and needs none"
        )


def is_there(here: Machine, image: str) -> bool:
    """Whether the engine has it."""
    try:
        here.client.images.get(image)
    except ImageNotFound:
        return False
    return True


def remove_image(here: Machine) -> None:
    """Take the image away again, if `up` built it; the program itself is kept, and the next `up` need not build it."""
    if here.notes.read().get("proxy_is_ours"):
        try:
            here.client.images.remove(BUILT)
        except ImageNotFound:
            pass
        except APIError:  # another stack's proxy uses it
            here.say(f"{BUILT} stays: another container uses it")


def remove_lost(here: Machine, stack: str, known: Collection[str]) -> None:
    """A container and a volume that an interrupted run left without a trace in the state, which has the ids `known`.
    Containers of Swarm's services go with these."""
    labelled: dict[str, Any] = {"label": f"switchyard.stack={stack}"}
    for each in here.client.containers.list(all=True, filters=labelled):
        if each.name not in known and "com.docker.swarm.service.id" not in each.labels:
            each.remove(force=True)
            here.say(f"removed {each.name}, which an interrupted run left")
    for volume in here.client.volumes.list(filters=labelled):
        if volume.name not in known:
            volume.remove()
