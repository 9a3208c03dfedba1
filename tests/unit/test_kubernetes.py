"""Any Kubernetes: what a cluster that exists is asked for, and what a stack may not ask of it."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from components.testing.engine import Graph, Node
from config.problems import BadConfig
from tests.pod_security import violations
from tests.program import BLOCKS, DIGEST, config_for, run_program
from tests.unit.test_ecs_fargate import PASSWORD

API: Mapping[str, Any] = {
    "digest": DIGEST,
    "port": 9000,
    "replicas": {"min": 2, "max": 6},
    "secrets": {"DB_PASSWORD": PASSWORD},
    "writable": ["/tmp"],
}
WORKER: Mapping[str, Any] = {"digest": DIGEST, "public": False}
INGRESS = {"exposure": "ingress", "ingress-host": "shop.example.com"}
NODE_PORT = {"exposure": "nodeport", "address": "node.example.com"}
KUBECONFIG = "contexts: [{name: prod, context: {}}]"


def program(block: Mapping[str, Any], **services: Any) -> Graph:
    """The program with the smallest block and this on top. Without services: one, `api`."""
    chosen = {key: value for key, value in {**BLOCKS["kubernetes"], **block}.items() if value is not None}
    config = config_for("oci", "kubernetes", **(services or {"api": API}))
    return _run(json.dumps(config | {"kubernetes": chosen}))


@cache
def _run(config: str) -> Graph:
    return run_program(json.loads(config), ("services", "kubernetes"))


def balanced() -> Graph:
    """With nothing chosen: a load balancer for each public service, and a worker that has none."""
    return program({}, api=API, worker=WORKER)


def complaint(block: Mapping[str, Any], **services: Any) -> str:
    with pytest.raises(BadConfig) as error:
        program(block, **services)
    return str(error.value)


def deployment(graph: Graph, service: str = "api") -> Node:
    return graph.one("apps/v1:Deployment", service)


def callers(graph: Graph) -> list[str]:
    """Who may connect to the public service's pods."""
    (rule,) = graph.one("networking.k8s.io/v1:NetworkPolicy", "api").inputs["spec"]["ingress"]
    return [each["ipBlock"]["cidr"] for each in rule["from"]]


class TestCluster:
    def test_its_context_identifies_it_whatever_the_kubeconfig_says(self) -> None:
        provider = balanced().one("pulumi:providers:kubernetes").inputs
        assert (provider["context"], provider["clusterIdentifier"]) == ("prod", "prod")
        assert provider["kubeconfig"] == BLOCKS["kubernetes"]["kubeconfig-file"]

    def test_a_kubeconfig_in_the_configuration_is_a_secret(self) -> None:
        graph = program({"kubeconfig": KUBECONFIG, "kubeconfig-file": None})
        provider = graph.one("pulumi:providers:kubernetes")
        assert provider.inputs["kubeconfig"] == KUBECONFIG
        assert KUBECONFIG not in json.dumps([each.clear for each in graph])

    def test_nothing_is_asked_of_aws(self) -> None:
        assert not [each for each in balanced() if each.type.startswith("aws:")]


class TestNamespace:
    def test_the_stacks_own_admits_only_confined_pods_and_lets_nothing_in(self) -> None:
        metadata = balanced().one("core/v1:Namespace").inputs["metadata"]
        assert metadata["name"] == "switchyard-dev"
        assert metadata["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
        deny = balanced().one("networking.k8s.io/v1:NetworkPolicy", "kubernetes--deny")
        assert deny.inputs["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}

    def test_in_one_that_exists_only_our_pods_are_closed(self) -> None:
        graph = program({"namespace": "team"}, api=API, worker=WORKER)
        assert not graph.of("core/v1:Namespace")
        deny = graph.one("networking.k8s.io/v1:NetworkPolicy", "kubernetes--deny").inputs
        assert deny["metadata"] == {"name": "switchyard-dev--deny", "namespace": "team"}
        assert deny["spec"]["podSelector"] == {"matchLabels": {"app.kubernetes.io/part-of": "switchyard-dev"}}
        for service in ("api", "worker"):
            labels = deployment(graph, service).inputs["spec"]["template"]["metadata"]["labels"]
            assert labels["app.kubernetes.io/part-of"] == "switchyard-dev"

    @pytest.mark.parametrize(("existing", "forced"), [(None, "true"), ("team", "false")])
    def test_what_others_have_set_is_ours_again_only_where_nothing_else_is_theirs(
        self, existing: str | None, forced: str
    ) -> None:
        graph = program({"namespace": existing})
        assert graph.one("pulumi:providers:kubernetes").inputs["enablePatchForce"] == forced
        # What scales it sets a field of it, wherever it is; and one of others would have another selector.
        assert deployment(graph).inputs["metadata"]["annotations"]["pulumi.com/patchForce"] == "true"

    def test_the_command_for_logs_knows_it(self) -> None:
        (command,) = program({"namespace": "team"}, api=API, worker=WORKER).export("logs")["api"]
        assert command == (
            "kubectl logs --context prod --namespace team --selector"
            " app.kubernetes.io/name=api,app.kubernetes.io/part-of=switchyard-dev --follow"
        )
        (own,) = balanced().export("logs")["api"]
        assert "--namespace switchyard-dev" in own


class TestPods:
    @pytest.mark.parametrize("service", ["api", "worker"])
    def test_they_meet_pod_security_restricted(self, service: str) -> None:
        assert violations(dict(deployment(balanced(), service).inputs["spec"]["template"]["spec"])) == []

    @pytest.mark.parametrize(("block", "drain"), [({}, 40), ({"drain": 5}, 5)])
    def test_they_serve_until_nobody_sends_any_more(self, block: Mapping[str, Any], drain: int) -> None:
        pod = deployment(program(block)).inputs["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert container["lifecycle"]["preStop"]["sleep"]["seconds"] == drain
        assert pod["terminationGracePeriodSeconds"] > drain

    def test_a_rollout_that_never_ends_holds_up_ten_minutes(self) -> None:
        """Pulumi waits until the time-out, whatever Kubernetes says before; so both are of one length."""
        found = deployment(balanced())
        assert found.timeouts == {"create": "600s", "update": "600s"}
        assert found.inputs["spec"]["progressDeadlineSeconds"] == 600

    def test_who_may_connect(self) -> None:
        assert callers(balanced()) == ["0.0.0.0/0"]
        assert callers(program({"callers": ["10.0.0.0/8", "192.0.2.0/24"]})) == ["10.0.0.0/8", "192.0.2.0/24"]
        assert not [each for each in balanced().of("networking.k8s.io/v1:NetworkPolicy") if each.name == "worker"]


class TestExposure:
    def test_a_load_balancer_for_each_public_service(self) -> None:
        published = balanced().one("core/v1:Service", "api--public")
        assert published.inputs["spec"]["type"] == "LoadBalancer"
        assert "loadBalancerSourceRanges" not in published.inputs["spec"]
        assert balanced().export("url") == {"api": "http://api--public.balancer.example", "worker": None}
        assert {each.name for each in balanced().of("core/v1:Service")} == {"api", "api--public", "worker"}

    def test_it_opens_only_to_the_callers(self) -> None:
        graph = program({"callers": ["192.0.2.0/24"], "annotations": {"cloud.example/internal": "true"}})
        published = graph.one("core/v1:Service", "api--public").inputs
        assert published["spec"]["loadBalancerSourceRanges"] == ["192.0.2.0/24"]
        assert published["metadata"]["annotations"] == {"cloud.example/internal": "true"}

    def test_a_node_port(self) -> None:
        graph = program({**NODE_PORT, "node-ports": {"api": 30080}})
        spec = graph.one("core/v1:Service", "api--public").inputs["spec"]
        assert (spec["type"], spec["ports"][0]["nodePort"]) == ("NodePort", 30080)
        assert graph.export("url")["api"] == "http://node.example.com:30080"

    def test_a_node_port_that_the_cluster_has_yet_to_choose(self) -> None:
        assert program(NODE_PORT).export("url")["api"] == "http://node.example.com:pending"

    def test_an_ingress_by_host_and_path(self) -> None:
        graph = program(
            {**INGRESS, "ingress-class": "nginx", "ingress-tls": "shop-tls"},
            api=API,
            web={"digest": DIGEST, "host": "web.example.com", "path": "/v1"},
        )
        assert graph.export("url") == {"api": "https://shop.example.com", "web": "https://web.example.com/v1"}
        spec = graph.one("networking.k8s.io/v1:Ingress", "web").inputs["spec"]
        assert spec["ingressClassName"] == "nginx"
        assert spec["tls"] == [{"hosts": ["web.example.com"], "secretName": "shop-tls"}]
        (path,) = spec["rules"][0]["http"]["paths"]
        assert (path["path"], path["pathType"]) == ("/v1", "Prefix")
        assert path["backend"]["service"] == {"name": "web", "port": {"name": "http"}}
        assert {each.name for each in graph.of("core/v1:Service")} == {"api", "web"}

    def test_without_a_certificate_it_is_plain(self) -> None:
        assert program(INGRESS).export("url")["api"] == "http://shop.example.com"

    @pytest.mark.parametrize(
        ("block", "kind", "name"),
        [
            ({}, "core/v1:Service", "api--public"),
            (NODE_PORT, "core/v1:Service", "api--public"),
            (INGRESS, "networking.k8s.io/v1:Ingress", "api"),
        ],
    )
    def test_nobody_is_sent_before_the_pods_are_ready(self, block: Mapping[str, Any], kind: str, name: str) -> None:
        graph = program(block)
        assert deployment(graph).urn in graph.one(kind, name).dependencies


MISTAKES: list[tuple[Mapping[str, Any], Mapping[str, Any], str]] = [
    ({"context": "pord"}, {}, "kubernetes.context is 'pord'; want one that the kubeconfig has: dev, prod"),
    ({"kubeconfig-file": "/nowhere"}, {}, "kubernetes.kubeconfig-file is '/nowhere'; want a file that exists"),
    ({"kubeconfig": KUBECONFIG}, {}, "kubeconfig and kubeconfig-file are both set: keep one"),
    (
        {"kubeconfig": "[1]", "kubeconfig-file": None},
        {},
        "kubernetes.kubeconfig is hidden, for it may be secret; want a kubeconfig that can be read",
    ),
    ({"kubeconfig": "{}", "kubeconfig-file": None}, {}, "it has none"),
    ({"exposure": "nodeport"}, {}, "kubernetes.address is not set; want the name or address"),
    ({"address": "x"}, {}, "exposure is 'loadbalancer'; want nodeport, or no address, which means nothing here"),
    ({**NODE_PORT, "annotations": {"a": "b"}}, {}, "want ingress or loadbalancer, or no annotations"),
    (
        {**NODE_PORT, "node-ports": {"web": 30000}},
        {},
        "node-ports.web is 30000; want the name of a public service: api",
    ),
    ({**NODE_PORT, "node-ports": {"api": 80}}, {}, "node-ports.api is 80; want at least 30000"),
    (
        {**NODE_PORT, "node-ports": {"api": 30000, "web": 30000}},
        {"api": API, "web": {"digest": DIGEST}},
        "node-ports.web is 30000; want another port than api's",
    ),
    ({"exposure": "ingress"}, {}, "ingress-host is not set; want a host name, because service api has none of its own"),
    (INGRESS, {"api": API, "web": {"digest": DIGEST}}, "want a route of its own for web (its host or path): api has"),
    ({}, {"api": {**API, "path": "/v1"}}, "exposure is 'loadbalancer'; want ingress, because service api has a path"),
    ({}, {"api": {**API, "host": "a.example.com"}}, "want ingress, because service api has a host of its own"),
    ({"callers": ["everyone"]}, {}, "'everyone' does not appear to be an IPv4 or IPv6 network"),
    ({"drain": 0}, {}, "kubernetes.drain is 0; want at least 1"),
]


@pytest.mark.parametrize(("block", "services", "told"), MISTAKES, ids=[told for _, _, told in MISTAKES])
def test_a_mistake_is_told(block: Mapping[str, Any], services: Mapping[str, Any], told: str) -> None:
    assert told in complaint(block, **services)


def test_a_kubeconfig_in_plain_text_is_refused() -> None:
    block = {"context": "prod", "kubeconfig": KUBECONFIG}
    with pytest.raises(BadConfig) as error:
        run_program(config_for("oci", "kubernetes") | {"kubernetes": block}, ())
    assert "switchyard:kubernetes.kubeconfig is in plain text; want an encrypted value" in str(error.value)
    assert KUBECONFIG not in str(error.value)


def test_without_any_key_it_looks_where_kubectl_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home, named = tmp_path / ".kube" / "config", tmp_path / "named"
    home.parent.mkdir()
    for file in (home, named):
        file.write_text(KUBECONFIG.replace("prod", file.name), encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    assert "want one that the kubeconfig has: config" in complaint({"kubeconfig-file": None})
    monkeypatch.setenv("KUBECONFIG", str(named))
    assert "want one that the kubeconfig has: named" in complaint({"kubeconfig-file": None})
    # The provider, which the SDK gives this variable, opens it as one file.
    monkeypatch.setenv("KUBECONFIG", f"{named}:{home}")
    assert "kubeconfig-file is not set; want one file, because KUBECONFIG" in complaint({"kubeconfig-file": None})
