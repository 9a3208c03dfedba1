"""A cluster of one node out of Kubernetes' own programs and Debian's etcd, containerd, runc and CNI plugins.

It has a containerd of its own, so Docker's is not touched. Everything it keeps is under `.tools/kube/run`, and each
start makes a new cluster.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tools.kube import images, node
from tools.kube.api import Api, ApiError
from tools.kube.node import CONTAINERD, KUBECONFIG, NODE, PAUSE, RUN
from tools.kube.programs import BIN, KubeError, complete, say

DEBIAN = {
    "etcd": "etcd-server",
    "containerd": "containerd",
    "runc": "runc",
    "openssl": "openssl",
    "iptables": "iptables",
}
"""Program -> the Debian package that has it; the CNI plugins come besides."""
START_TIMEOUT, READY_TIMEOUT, STOP_TIMEOUT = 60.0, 90.0, 60.0
"""Seconds for one program to answer, for the node to be ready, and for everything to end."""
EXEC_TIMEOUT = 2.0
FIREWALL = "KUBE-FIREWALL"
"""A chain that every kube-proxy makes."""
TAIL = 15
"""Lines of a log that are shown when a program fails."""


def start() -> None:
    """A new cluster, its node ready; the one that runs already stays."""
    _need_root()
    if _answers():
        say(f"a cluster runs already: export KUBECONFIG={KUBECONFIG}")
        return
    if lacking := missing():
        raise KubeError(lacking)
    _clean_up()
    _make_room()
    try:
        node.write()
        _start_all()
    except KubeError:
        _clean_up(keep_logs=True)
        raise
    say(f"Kubernetes runs, its node is ready: export KUBECONFIG={KUBECONFIG}")


def stop() -> None:
    """End the cluster and remove all that it made."""
    _need_root()
    if not RUN.exists():
        say("no cluster was started here: nothing to stop")
        return
    _clean_up()
    say("the cluster is gone")


def status() -> None:
    """Say what runs; raises `KubeError` when not everything does."""
    if dead := [name for name in node.COMMANDS if not _pid(name)]:
        raise KubeError(f"not running: {', '.join(dead)}" if RUN.exists() else "no cluster was started here")
    ready = "ready" if _ready() else "not ready"
    say(f"Kubernetes runs, its node is {ready}: export KUBECONFIG={KUBECONFIG}")


def missing() -> str | None:
    """What a cluster needs and this machine has not; None when all is there."""
    if not complete(BIN):
        return "Kubernetes is not built: run `make kube`"
    packages = [package for program, package in DEBIAN.items() if not shutil.which(program)]
    if node.plugins() is None:
        packages.append("containernetworking-plugins")
    if packages:
        return f"not installed: {', '.join(packages)}. On Debian: apt-get install {' '.join(packages)}"
    return None


def import_image(archive: Path) -> None:
    """Give the node an image, so that nothing has to be pulled."""
    if not _ctr("images", "import", str(archive)):
        raise KubeError(f"containerd does not take the image {archive}")


# --- Start and stop -----------------------------------------------------------------------------------------------


def _start_all() -> None:
    for name, command in node.COMMANDS.items():
        _launch(name, command)
        if name in ANSWERS:
            _wait(name, ANSWERS[name], START_TIMEOUT)
    archive = RUN / "pause.tar"
    images.write(archive, BIN / "pause", PAUSE)
    import_image(archive)
    _wait("kubelet", _ready, READY_TIMEOUT)


_STARTED: dict[str, "subprocess.Popen[bytes]"] = {}
"""Programs that this process has started: Python warns of one that it forgets while it runs."""


def _launch(name: str, command: Sequence[str]) -> None:
    say(f"starting {name}")
    with (RUN / f"{name}.log").open("wb") as log:
        _STARTED[name] = process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=RUN,
            start_new_session=True,  # it outlives this command, and a Ctrl-C in its terminal
        )
    (RUN / f"{name}.pid").write_text(str(process.pid), encoding="utf-8")
    _until(lambda: _pid(name) is not None, EXEC_TIMEOUT)  # a new process has no command line at first


def _wait(name: str, done: Callable[[], bool], timeout: float) -> None:
    """Wait for a program; when it ends or takes too long, its last lines are the error."""
    if _until(lambda: done() or not _pid(name), timeout) and _pid(name):
        return
    log = RUN / f"{name}.log"
    tail = "\n".join(f"  {line}" for line in log.read_text(errors="replace").splitlines()[-TAIL:])
    what = f"was not ready within {timeout:.0f} s" if _pid(name) else "ended by itself"
    raise KubeError(f"{name} {what}; the last lines of {log}:\n{tail}")


def _make_room() -> None:
    """Take away what a cluster of ours left that was killed; raises `KubeError` where the rules are someone else's.

    The bridge tells whose they are: a start makes it before there is any rule, and it goes with them, at a reboot too.
    """
    if node.BRIDGE in os.listdir("/sys/class/net") and not _listens(node.ETCD):
        _remove_network()
    if FIREWALL in _run("iptables-save", "-t", "filter"):
        raise KubeError(f"another Kubernetes has rules on this machine (iptables chain {FIREWALL}): stop it first")
    _run("ip", "link", "add", node.BRIDGE, "type", "bridge")


def _clean_up(keep_logs: bool = False) -> None:
    """End every program, newest first, and what they leave: containers, mounts, rules, the bridge, files."""
    if not RUN.exists():
        return
    if _pid("kubelet") and _pid("kube-apiserver"):
        _remove_pods()
    for name in reversed(list(node.COMMANDS)):
        _end(name)
    _remove_network()
    for mount in sorted(_mounts(), reverse=True):
        _run("umount", "--lazy", mount)
    for path in RUN.iterdir():
        if keep_logs and path.suffix == ".log":
            continue
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    if not keep_logs:
        RUN.rmdir()


def _remove_pods() -> None:
    """While the kubelet still runs, which takes a pod's network and mounts away with it."""
    api = client()
    with suppress(OSError, ApiError):
        # What would make them anew goes first.
        for space in api.get("/api/v1/namespaces")["items"]:
            if not space["metadata"]["name"].startswith(("kube-", "default")):
                api.call("DELETE", f"/api/v1/namespaces/{space['metadata']['name']}")
        for pod in api.get("/api/v1/pods")["items"]:
            with suppress(ApiError):
                api.call("DELETE", api.path({"apiVersion": "v1", "kind": "Pod", **pod}), gracePeriodSeconds="1")
        _until(lambda: not _tasks(), STOP_TIMEOUT)


def _remove_network() -> None:
    """The rules, all of them (kube-proxy leaves the chain that it would share with a kubelet), and the bridge."""
    _run(str(BIN / "kube-proxy"), "--cleanup")
    for program in ("iptables", "ip6tables"):
        for chain in ("INPUT", "OUTPUT"):
            _run(program, "--delete", chain, "--jump", FIREWALL)
        _run(program, "--flush", FIREWALL)
        _run(program, "--delete-chain", FIREWALL)
    _run("ip", "link", "delete", node.BRIDGE)


def _tasks() -> str:
    """The containers that run. Of those that are over the kubelet takes the records away once a minute."""
    return _ctr("tasks", "list", "--quiet")


def _ctr(*arguments: str) -> str:
    return _run("ctr", "--address", str(CONTAINERD), "--namespace", "k8s.io", *arguments)


def _end(name: str) -> None:
    if pid := _pid(name):
        os.kill(pid, signal.SIGTERM)
        if not _until(lambda: not _pid(name), STOP_TIMEOUT):
            os.kill(pid, signal.SIGKILL)
            _until(lambda: not _pid(name), STOP_TIMEOUT)
    if process := _STARTED.pop(name, None):
        process.wait(STOP_TIMEOUT)  # a process that ends has no command line any more, some time before it has ended


def _pid(name: str) -> int | None:
    """The process that `_launch` left, if it still runs. A number may be someone else's by now."""
    with suppress(OSError, ValueError):
        pid = int((RUN / f"{name}.pid").read_text())
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        if Path(os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0])).name == name:
            return pid
    return None


def _mounts() -> Iterator[str]:
    below = f"{RUN.resolve()}/"  # .tools may be a link
    for line in Path("/proc/mounts").read_text().splitlines():
        if (target := line.split()[1]).startswith(below):
            yield target


# --- What is asked ------------------------------------------------------------------------------------------------


def client() -> Api:
    """The running cluster's API, as its administrator."""
    return Api(KUBECONFIG.read_text(encoding="utf-8"))


def _answers() -> bool:
    with suppress(OSError, ApiError):
        return bool(client().call("GET", "/readyz") == "ok")
    return False


def _ready() -> bool:
    with suppress(OSError, ApiError):
        node = client().get(f"/api/v1/nodes/{NODE}")
        conditions = node["status"].get("conditions", []) if node else []
        return any((each["type"], each["status"]) == ("Ready", "True") for each in conditions)
    return False


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _until(done: Callable[[], bool], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def _run(*command: str) -> str:
    """What a short command says; nothing when it fails."""
    with suppress(OSError):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return done.stdout if done.returncode == 0 else ""
    return ""


def _need_root() -> None:
    if os.geteuid() != 0:
        raise KubeError("a node needs root: sudo .venv/bin/python -m tools.kube start")


ANSWERS: Mapping[str, Callable[[], bool]] = {
    "etcd": lambda: _listens(node.ETCD),
    "containerd": lambda: "Server" in _ctr("version"),
    "kube-apiserver": _answers,
    "kube-proxy": lambda: _listens(node.PROXY),
}
"""Programs that are waited for, and whether they are there."""
