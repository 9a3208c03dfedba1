"""How the programs of the cluster are started: certificates, configuration files, command lines."""

import base64
import json
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tools.kube.programs import BIN, HOME, KubeError

RUN = HOME / "run"
KUBECONFIG = RUN / "kubeconfig"
CONTAINERD = RUN / "containerd.sock"
NODE = CONTEXT = "switchyard"
BRIDGE = "switchyard0"
PAUSE = "switchyard.local/pause:1"
ETCD, ETCD_PEERS, API_SERVER, KUBELET, PROXY, PROXY_METRICS = 23790, 23800, 16443, 20250, 20256, 20249
"""Ports, none of them the usual one, so that another cluster of this machine is not in the way."""
PODS, SERVICES = "10.244.0.0/16", "10.96.0.0/16"
PLUGINS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))


def _program(name: str, *options: str) -> Sequence[str]:
    return [str(BIN / name), f"--kubeconfig={KUBECONFIG}", *options]


COMMANDS: Mapping[str, Sequence[str]] = {
    "etcd": [
        "etcd",
        f"--data-dir={RUN}/etcd",
        f"--listen-client-urls=http://127.0.0.1:{ETCD}",
        f"--advertise-client-urls=http://127.0.0.1:{ETCD}",
        f"--listen-peer-urls=http://127.0.0.1:{ETCD_PEERS}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{ETCD_PEERS}",
        f"--initial-cluster=default=http://127.0.0.1:{ETCD_PEERS}",
        "--unsafe-no-fsync",  # a cluster for tests may be lost
    ],
    "containerd": ["containerd", "--config", f"{RUN}/containerd.toml"],
    "kube-apiserver": [
        str(BIN / "kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{ETCD}",
        "--bind-address=127.0.0.1",
        f"--secure-port={API_SERVER}",
        "--endpoint-reconciler-type=none",
        f"--service-cluster-ip-range={SERVICES}",
        f"--tls-cert-file={RUN}/server.crt",
        f"--tls-private-key-file={RUN}/server.key",
        f"--client-ca-file={RUN}/ca.crt",
        f"--kubelet-client-certificate={RUN}/admin.crt",
        f"--kubelet-client-key={RUN}/admin.key",
        "--kubelet-preferred-address-types=InternalIP",  # nobody resolves the node's name
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-signing-key-file={RUN}/server.key",
        f"--service-account-key-file={RUN}/server.crt",
        "--authorization-mode=RBAC",
    ],
    "kube-controller-manager": _program(
        "kube-controller-manager",
        f"--root-ca-file={RUN}/ca.crt",
        f"--service-account-private-key-file={RUN}/server.key",
        "--leader-elect=false",
        "--secure-port=0",
    ),
    "kube-scheduler": _program("kube-scheduler", "--leader-elect=false", "--secure-port=0"),
    "kubelet": _program(
        "kubelet",
        f"--config={RUN}/kubelet.json",
        f"--hostname-override={NODE}",
        f"--root-dir={RUN}/kubelet",
        f"--cert-dir={RUN}/kubelet-pki",
    ),
    "kube-proxy": [str(BIN / "kube-proxy"), f"--config={RUN}/kube-proxy.json"],
}
"""Program -> how it is started, in the order of starting."""


def write() -> None:
    """Everything that the programs read, in a new `.tools/kube/run`."""
    RUN.mkdir(parents=True, exist_ok=True)
    _certificates()
    files = {
        KUBECONFIG: yaml.safe_dump(_kubeconfig()),
        RUN / "containerd.toml": _containerd(),
        RUN / "cni" / "10-switchyard.conflist": json.dumps(_network()),
        RUN / "kubelet.json": json.dumps(_kubelet()),
        RUN / "kube-proxy.json": json.dumps(_proxy()),
    }
    for file, text in files.items():
        file.parent.mkdir(exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(text, encoding="utf-8")


def plugins() -> Path | None:
    """Where the CNI plugins are installed."""
    return next((each for each in PLUGINS if (each / "bridge").exists()), None)


def address() -> str:
    """The node's address: this machine's own, as others see it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))  # an address for documentation; nothing is sent
        except OSError as error:
            raise KubeError("this machine has no network, and a node needs an address") from error
        return str(probe.getsockname()[0])


def _certificates() -> None:
    """An authority for this cluster alone, the API server's certificate, and an administrator's, as whom all programs
    of the cluster act: it is on one machine, for tests."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "365"]
    signed = ["-CA", "ca.crt", "-CAkey", "ca.key"]
    for name, options in {
        "ca": ["-subj", "/CN=switchyard-kube"],
        "server": [*signed, "-subj", "/CN=kube-apiserver", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"],
        "admin": [*signed, "-subj", "/O=system:masters/CN=admin"],
    }.items():
        files = ["-keyout", f"{name}.key", "-out", f"{name}.crt"]
        command = ["openssl", "req", "-x509", *key, *files, *options]
        done = subprocess.run(command, cwd=RUN, capture_output=True, text=True)
        if done.returncode:
            raise KubeError(f"openssl (3.0 or newer is needed) made no certificate:\n{done.stderr.strip()}")


def _kubeconfig() -> Mapping[str, Any]:
    def data(file: str) -> str:
        return base64.b64encode((RUN / file).read_bytes()).decode()

    cluster = {"server": f"https://127.0.0.1:{API_SERVER}", "certificate-authority-data": data("ca.crt")}
    user = {"client-certificate-data": data("admin.crt"), "client-key-data": data("admin.key")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "clusters": [{"name": NODE, "cluster": cluster}],
        "users": [{"name": "admin", "user": user}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": NODE, "user": "admin"}}],
    }


def _containerd() -> str:
    """Registries on localhost are spoken to in plain HTTP by default."""
    return f"""\
version = 2
root = "{RUN}/containerd/root"
state = "{RUN}/containerd/state"

[grpc]
  address = "{CONTAINERD}"

[plugins."io.containerd.internal.v1.opt"]
  path = "{RUN}/containerd/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  # Where this runs in a container itself, it may not lower the score.
  restrict_oom_score_adj = true

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins()}"
    conf_dir = "{RUN}/cni"

  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = "{shutil.which("runc")}"
"""


def _network() -> Mapping[str, Any]:
    """Pods on a bridge of their own; out through the machine's address."""
    addresses = {
        "type": "host-local",
        "dataDir": f"{RUN}/cni-addresses",
        "ranges": [[{"subnet": PODS}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "ipMasq": True, "ipam": addresses}
    return {"cniVersion": "0.4.0", "name": "switchyard", "plugins": [bridge]}


def _kubelet() -> Mapping[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": address(),
        "port": KUBELET,
        "healthzPort": 0,
        "containerRuntimeEndpoint": f"unix://{CONTAINERD}",
        "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": f"{RUN}/ca.crt"}},
        "authorization": {"mode": "AlwaysAllow"},  # of those whom the authority above knows
        # Whatever this machine is: cgroups of either version, with swap, with a full disk.
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "oomScoreAdj": 0,
        "makeIPTablesUtilChains": False,  # nobody would remove them
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        # Ready in seconds, not minutes; a token is mounted nowhere.
        "nodeStatusUpdateFrequency": "2s",
    }


def _proxy() -> Mapping[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(KUBECONFIG)},
        "hostnameOverride": NODE,
        "mode": "iptables",
        "clusterCIDR": PODS,
        "iptables": {"localhostNodePorts": False},  # else it changes a setting of the kernel
        "healthzBindAddress": f"127.0.0.1:{PROXY}",
        "metricsBindAddress": f"127.0.0.1:{PROXY_METRICS}",
        "conntrack": {"maxPerCore": 0, "min": 0},  # the machine's own limits stay
    }
