"""A cluster that was killed, in any checkout, is no reason for the next one not to start."""

import pytest

from tools.kube import cluster, node
from tools.kube.programs import KubeError


class Host:
    """What stands on a machine: the bridge, rules, and a program at etcd's port."""

    def __init__(self, patch: pytest.MonkeyPatch, bridge: bool, rules: bool, etcd: bool = False) -> None:
        self.links = {node.BRIDGE} if bridge else set()
        self.rules = rules
        patch.setattr("os.listdir", lambda _: ["lo", *self.links])
        patch.setattr(cluster, "_listens", lambda port: etcd and port == node.ETCD)
        patch.setattr(cluster, "_run", self.run)

    def run(self, *command: str) -> str:
        if command == ("ip", "link", "delete", node.BRIDGE):
            self.links.clear()
        if command == ("ip", "link", "add", node.BRIDGE, "type", "bridge"):
            self.links.add(node.BRIDGE)
        if command == ("iptables", "--delete-chain", cluster.FIREWALL):
            self.rules = False
        return f":{cluster.FIREWALL} - [0:0]" if command[0] == "iptables-save" and self.rules else ""


@pytest.mark.parametrize("bridge", [True, False])
def test_a_start_marks_the_machine(monkeypatch: pytest.MonkeyPatch, bridge: bool) -> None:
    host = Host(monkeypatch, bridge, rules=bridge)
    cluster._make_room()
    assert (host.links, host.rules) == ({node.BRIDGE}, False)


@pytest.mark.parametrize(("bridge", "etcd"), [(False, False), (True, True)], ids=["theirs", "ours, and it runs"])
def test_rules_in_use_stay(monkeypatch: pytest.MonkeyPatch, bridge: bool, etcd: bool) -> None:
    host = Host(monkeypatch, bridge, rules=True, etcd=etcd)
    with pytest.raises(KubeError, match="another Kubernetes has rules on this machine"):
        cluster._make_room()
    assert host.rules
