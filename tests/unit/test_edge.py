"""The edge: one URL, a rule for each service, and weights in one place."""

import json
from functools import cache
from itertools import pairwise
from typing import Any, Literal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from components.aws.network import CIDR
from components.edge import WARM_UP_HEADER, target_groups
from components.edge.alb import TLS_POLICY
from components.edge.priorities import LAST, priorities
from components.service import Service
from components.testing.cloud import ACCOUNT
from components.testing.engine import Graph
from config.problems import BadConfig
from tests.program import DIGEST, EXISTING, config_for, run_program

DOMAIN = {"name": "api.example.com", "zone": "example.com"}
REDIRECT = {"port": "443", "protocol": "HTTPS", "statusCode": "HTTP_301"}


@cache
def plain() -> Graph:
    """An edge without a domain."""
    return run_program(config_for("ecr", "ecs-fargate"))


@cache
def secure() -> Graph:
    """An edge with a domain, a service with a host of its own, and everything that production wants."""
    services = {
        "api": {"digest": DIGEST},
        "admin": {"digest": DIGEST, "host": "admin.example.com", "path": "/v1", "health": "/up", "port": 9000},
    }
    return run_program(config_for("ecr", "ecs-fargate", "production", **services) | {"domain": DOMAIN})


@cache
def moving() -> Graph:
    """Two orchestrators share the traffic."""
    return run_program({**config_for("ecr", "ecs-fargate"), **EXISTING, "traffic": {"ecs-fargate": 90, "eks": 10}})


@cache
def existing() -> Graph:
    """Someone else's network and load balancer."""
    return run_program({**config_for("ecr", "ecs-fargate"), **EXISTING})


def rule(graph: Graph, name: str) -> dict[str, Any]:
    return dict(graph.one("lb/listenerRule:ListenerRule", name).inputs)


class TestPlain:
    def test_it_listens_on_80_alone(self) -> None:
        listener = plain().one("lb/listener:Listener").inputs
        assert (listener["port"], listener["protocol"]) == (80, "HTTP")
        assert "certificateArn" not in listener
        assert not plain().of("acm/certificate:Certificate")

    def test_its_url_is_the_load_balancers_own(self) -> None:
        assert plain().export("url") == "http://edge-1234567890.us-east-1.elb.amazonaws.com"

    def test_the_output_says_that_it_is_plain(self) -> None:
        assert plain().export("next") == [
            "the URL is plain HTTP: set `domain` to {name, zone} of a public zone in Route 53 for HTTPS,"
            " or `plain-http` to true if it is meant"
        ]

    def test_it_sends_only_into_its_network(self) -> None:
        sent = plain().one("vpc/securityGroupEgressRule:SecurityGroupEgressRule", "edge").inputs
        assert sent["cidrIpv4"] == str(CIDR)

    def test_what_no_service_wants_is_404(self) -> None:
        (action,) = plain().one("lb/listener:Listener").inputs["defaultActions"]
        assert (action["type"], action["fixedResponse"]["statusCode"]) == ("fixed-response", "404")

    def test_trial_can_be_destroyed(self) -> None:
        assert plain().one("lb/loadBalancer:LoadBalancer").inputs["enableDeletionProtection"] is False

    def test_invalid_headers_are_dropped(self) -> None:
        balancer = plain().one("lb/loadBalancer:LoadBalancer").inputs
        assert balancer["dropInvalidHeaderFields"] is True
        assert balancer["desyncMitigationMode"] == "defensive"


@pytest.mark.parametrize(
    ("service", "kind", "prefix", "stays"),
    [
        ("api", "ip", "api-", ["port"]),
        ("user-api", "ip", "user-", ["port", "namePrefix"]),
        ("user-api", "instance", "user-", ["namePrefix"]),
        ("orders", "instance", "order-", None),
    ],
)
def test_a_groups_prefix_has_one_dash_and_no_group_is_replaced_for_it(
    service: str, kind: Literal["ip", "instance"], prefix: str, stays: list[str] | None
) -> None:
    assert (target_groups.prefix(service), target_groups.kept(service, kind)) == (prefix, stays)


class TestSecure:
    def test_443_has_the_certificate_and_a_current_policy(self) -> None:
        listener = secure().one("lb/listener:Listener", "edge").inputs
        assert (listener["port"], listener["protocol"], listener["sslPolicy"]) == (443, "HTTPS", TLS_POLICY)

    def test_the_listener_waits_until_the_certificate_is_valid(self) -> None:
        valid = secure().one("acm/certificateValidation:CertificateValidation")
        assert valid.urn in secure().one("lb/listener:Listener", "edge").from_inputs["certificateArn"]

    def test_80_redirects_once_443_answers(self) -> None:
        listener = secure().one("lb/listener:Listener", "edge-http")
        (action,) = listener.inputs["defaultActions"]
        assert listener.inputs["port"] == 80
        assert action["redirect"] == REDIRECT
        assert secure().one("lb/listener:Listener", "edge").urn in listener.dependencies

    def test_80_redirects_by_a_rule_too_which_is_the_last_to_go(self) -> None:
        (action,) = rule(secure(), "edge-redirect")["actions"]
        assert action["redirect"] == REDIRECT
        assert rule(secure(), "edge-redirect")["listenerArn"].endswith(":listener/edge-http-0a1b2c3")
        others = [each.inputs["priority"] for each in secure().of("lb/listenerRule:ListenerRule")]
        assert sorted(others)[-2:] == [49_999, rule(secure(), "edge-redirect")["priority"]]

    def test_callers_of_the_load_balancers_own_name_are_sent_to_the_domain(self) -> None:
        own = rule(secure(), "edge-own-name")
        (action,) = own["actions"]
        assert own["conditions"] == [{"hostHeader": {"values": ["edge-1234567890.us-east-1.elb.amazonaws.com"]}}]
        assert action["redirect"] == {**REDIRECT, "host": "api.example.com"}

    def test_the_services_rules_are_on_443(self) -> None:
        ours = ("edge-redirect", "edge-own-name")
        of_services = [each for each in secure().of("lb/listenerRule:ListenerRule") if each.name not in ours]
        assert len(of_services) == 4
        assert all(each.inputs["listenerArn"].endswith(":listener/edge-0a1b2c3") for each in of_services)

    def test_the_certificate_proves_every_name(self) -> None:
        certificate = secure().one("acm/certificate:Certificate").inputs
        assert certificate["domainName"] == "api.example.com"
        assert certificate["subjectAlternativeNames"] == ["admin.example.com"]
        proofs = {
            each.inputs["name"]: (each.inputs["type"], each.inputs["zoneId"])
            for each in secure().of("route53/record:Record")
            if "validation" in each.name
        }
        assert proofs == {
            f"_proof.{host}.": ("CNAME", "zone-of-example.com") for host in ("api.example.com", "admin.example.com")
        }

    def test_a_proof_may_be_there_already(self) -> None:
        """It is the same for every certificate of an account."""
        proofs = [each for each in secure().of("route53/record:Record") if "validation" in each.name]
        assert all(each.inputs["allowOverwrite"] is True for each in proofs)

    def test_every_name_leads_to_the_load_balancer(self) -> None:
        addresses = {
            each.inputs["name"]: each.inputs["aliases"][0]["name"]
            for each in secure().of("route53/record:Record")
            if each.inputs["type"] == "A"
        }
        balancer = "edge-1234567890.us-east-1.elb.amazonaws.com"
        assert addresses == {"api.example.com": balancer, "admin.example.com": balancer}

    def test_its_url_is_the_domain(self) -> None:
        assert secure().export("url") == "https://api.example.com"

    def test_production_is_guarded(self) -> None:
        balancer = secure().one("lb/loadBalancer:LoadBalancer").inputs
        assert balancer["enableDeletionProtection"] is True
        assert balancer["desyncMitigationMode"] == "strictest"
        assert balancer["accessLogs"]["enabled"] is True

    def test_the_load_balancer_may_write_its_logs_before_it_is_made(self) -> None:
        graph = secure()
        policy = graph.one("s3/bucketPolicy:BucketPolicy")
        assert policy.urn in graph.waits_for(graph.one("lb/loadBalancer:LoadBalancer"))

    def test_the_log_bucket_takes_only_the_accounts_own(self) -> None:
        policy = json.loads(secure().one("s3/bucketPolicy:BucketPolicy").inputs["policy"])
        (allowed,) = [each for each in policy["Statement"] if each["Effect"] == "Allow"]
        assert allowed["Action"] == "s3:PutObject"
        assert allowed["Resource"].endswith(f"/AWSLogs/{ACCOUNT}/*")

    def test_the_log_bucket_is_private(self) -> None:
        block = secure().one("s3/bucketPublicAccessBlock:BucketPublicAccessBlock").inputs
        keys = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
        assert all(block[key] is True for key in keys)

    def test_what_was_not_uploaded_whole_goes_from_the_log_bucket(self) -> None:
        (rule,) = secure().one("s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration").inputs["rules"]
        assert rule["abortIncompleteMultipartUpload"] == {"daysAfterInitiation": 7}

    def test_rules_have_host_and_path(self) -> None:
        assert rule(secure(), "admin")["conditions"] == [
            {"pathPattern": {"values": ["/v1", "/v1/*"]}},
            {"hostHeader": {"values": ["admin.example.com"]}},
        ]

    def test_the_group_asks_each_target_at_its_own_port(self) -> None:
        group = secure().one("lb/targetGroup:TargetGroup", "admin-ecs-fargate")
        assert group.inputs["healthCheck"]["path"] == "/up"
        assert "port" not in group.inputs["healthCheck"]  # traffic-port: where the target gets its requests

    def test_a_services_port_is_not_its_groups(self) -> None:
        group = secure().one("lb/targetGroup:TargetGroup", "admin-ecs-fargate")
        assert (group.inputs["port"], group.ignore_changes) == (80, ("port",))


class TestMove:
    def test_the_rule_shares_by_weight(self) -> None:
        (action,) = rule(moving(), "api")["actions"]
        groups = {each["arn"].rpartition("/")[2]: each["weight"] for each in action["forward"]["targetGroups"]}
        assert groups == {"api-ecs-fargate-0a1b2c3": 90, "api-eks-0a1b2c3": 10}

    @pytest.mark.parametrize("key", ["ecs-fargate", "eks"])
    def test_each_can_be_tried_by_a_header(self, key: str) -> None:
        warm_up = rule(moving(), f"api-{key}--warm-up")
        assert {"httpHeader": {"httpHeaderName": WARM_UP_HEADER, "values": [key]}} in warm_up["conditions"]
        (action,) = warm_up["actions"]
        assert action["targetGroupArn"].endswith(f"/api-{key}-0a1b2c3")

    def test_the_traffic_waits_for_both_and_for_the_gate(self) -> None:
        traffic = moving().one("lb/listenerRule:ListenerRule", "api")
        wanted = {moving().one("ecs/service:Service").urn, moving().one("apps/v1:Deployment").urn}
        assert wanted <= traffic.dependencies
        assert traffic.hooks.keys() == {"before_create", "before_update", "after_update"}

    def test_a_newcomer_without_weight_is_not_waited_for(self) -> None:
        traffic = {"ecs-fargate": 100, "eks": 0}
        graph = run_program({**config_for("ecr", "ecs-fargate"), **EXISTING, "traffic": traffic})
        rule = graph.one("lb/listenerRule:ListenerRule", "api")
        assert graph.one("apps/v1:Deployment").urn not in graph.waits_for(rule)


class TestExisting:
    def test_only_groups_and_rules_are_made(self) -> None:
        kinds = {each.type for each in existing().under("switchyard:edge:Edge")}
        assert kinds == {"aws:lb/targetGroup:TargetGroup", "aws:lb/listenerRule:ListenerRule"}

    def test_rules_hang_on_the_listener_given(self) -> None:
        assert {each.inputs["listenerArn"] for each in existing().of("lb/listenerRule:ListenerRule")} == {
            "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/theirs/1/2"
        }

    def test_replicas_let_the_given_load_balancer_in(self) -> None:
        opened = existing().one("vpc/securityGroupIngressRule:SecurityGroupIngressRule").inputs
        assert opened["referencedSecurityGroupId"] == "sg-lb"

    def test_its_url_is_the_one_given(self) -> None:
        assert existing().export("url") == "https://api.example.com"


# Priorities

PATHS = st.lists(st.sampled_from("abc"), max_size=4).map(lambda parts: "/" + "/".join(parts))
ROUTES = st.builds(Service, path=PATHS, host=st.sampled_from([None, "a.example.com", "b.example.com"]))
NAMES = st.integers(0, 999).map("service-{}".format)
TABLES = st.dictionaries(NAMES, ROUTES, min_size=1, max_size=5)
ORCHESTRATORS = ["ecs-fargate", "eks", "swarm"]
few = settings(max_examples=50)  # tables are small, and half as many of them still meet every kind of route


@few
@given(TABLES)
def test_priorities_are_unique_and_within_aws_limits(routes: dict[str, Service]) -> None:
    table = priorities(routes, ORCHESTRATORS)
    assert len(set(table.values())) == len(routes) * (len(ORCHESTRATORS) + 1)
    assert all(1 <= each < LAST - 1 <= 50_000 for each in table.values())


@few
@given(TABLES)
def test_warm_up_rules_come_before_all_traffic_rules(routes: dict[str, Service]) -> None:
    table = priorities(routes, ORCHESTRATORS)
    warm_up = [place for (_, key), place in table.items() if key]
    traffic = [place for (_, key), place in table.items() if key is None]
    assert max(warm_up) < min(traffic)


def specific(service: Service) -> tuple[bool, int]:
    """A host wins over none, and then the longer path."""
    return service.host is not None, len([part for part in service.path.split("/") if part])


@few
@given(TABLES, st.sampled_from([None, *ORCHESTRATORS]))
def test_the_more_specific_route_comes_first(routes: dict[str, Service], key: str | None) -> None:
    table = priorities(routes, ORCHESTRATORS)
    ordered = sorted(routes, key=lambda name: table[name, key])
    assert all(specific(routes[one]) >= specific(routes[two]) for one, two in pairwise(ordered))


def alone(routes: dict[str, Service], orchestrators: list[str]) -> list[int]:
    """The priority that each rule would have with no other there."""
    return [
        place
        for name, route in routes.items()
        for key in orchestrators
        for place in priorities({name: route}, [key]).values()
    ]


@few
@given(TABLES, NAMES, ROUTES)
def test_whoever_joins_shifts_nobody(routes: dict[str, Service], newcomer: str, route: Service) -> None:
    before = priorities(routes, ORCHESTRATORS)
    more, keys = {newcomer: route, **routes}, [*ORCHESTRATORS, "kubernetes"]
    # Two names may want one place, about once in 2,400; then the second takes the next.
    assume(len(set(alone(more, keys))) == len(more) * (len(keys) + 1) or newcomer in routes)
    after = priorities(more, keys)
    assert {rule: after[rule] for rule in before} == before


class TestChosen:
    def test_what_is_named_is_what_there_is_by_default(self) -> None:
        named = run_program({**config_for("ecr", "ecs-fargate"), "edge": "alb"})
        assert {urn: node.inputs for urn, node in named.nodes.items()} == {
            urn: node.inputs for urn, node in plain().nodes.items()
        }

    @pytest.mark.parametrize(
        ("orchestrator", "named", "said"),
        [
            ("swarm", "alb", "switchyard:edge is 'alb'; want an orchestrator that can stand behind it, not swarm"),
            ("ecs-fargate", "albb", "switchyard:edge is 'albb'; want one of alb, proxy, proxy-ec2; did you mean alb?"),
        ],
    )
    def test_one_that_cannot_stand_there_is_refused(self, orchestrator: str, named: str, said: str) -> None:
        with pytest.raises(BadConfig) as problems:
            run_program({**config_for("oci", orchestrator), "edge": named})
        assert said in str(problems.value)
