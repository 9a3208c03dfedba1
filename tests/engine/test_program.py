"""The whole program on the real engine: every pair up, every switch, every failure in the middle of one, and back."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from itertools import pairwise, permutations, product
from pathlib import Path

import pytest
from pulumi import automation as auto

from components import orchestrator
from components.aws.cluster_admins import ADMIN
from components.orchestrator import ORCHESTRATORS
from rehearsal import Call, Fault
from rehearsal.aws import types
from tests.engine.passage import Passage, passage
from tests.program import BLOCKS
from yard import engine

pytestmark = pytest.mark.engine

RULE, GROUP, SERVICE = types.LISTENER_RULE, types.TARGET_GROUP, types.ECS_SERVICE
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
WORKLOAD = {
    "ecs-fargate": (SERVICE, "api"),
    "ecs-ec2": (SERVICE, "api"),
    "eks": (DEPLOYMENT, "api"),
    # The service itself is made on the managers, by way of SSM; then its node joins the group.
    "swarm-ec2": (types.TARGET_GROUP_ATTACHMENT, "api--0"),
}
"""What is there last of a newcomer, and healthy."""
NEEDS_A_WAY_OUT = {
    "ecs-fargate": (SERVICE, "api"),
    "ecs-ec2": (types.AUTO_SCALING_GROUP,),
    "eks": (types.EKS_CLUSTER,),
    "swarm-ec2": (types.INSTANCE,),
}
MORE = {key: BLOCKS[key] for key in WORKLOAD if key in BLOCKS}
"""Every orchestrator's block from the beginning, so that a switch is one key."""
GOES = {
    "ecs-fargate": (SERVICE, types.ECS_PROVIDERS, types.ECS_CLUSTER),
    "ecs-ec2": (
        SERVICE,
        types.ECS_PROVIDERS,
        types.CAPACITY_PROVIDER,
        types.AUTO_SCALING_GROUP,
        types.LAUNCH_TEMPLATE,
        types.ECS_CLUSTER,
    ),
    "eks": (types.EKS_CLUSTER,),  # and its objects with it
    "swarm-ec2": (types.TARGET_GROUP_ATTACHMENT, types.INSTANCE, types.NETWORK_INTERFACE),
}
"""What goes of each orchestrator, in this order."""


def one(calls: list[Call], op: str, type_: str, name: str | None = None) -> Call:
    """The only call of its kind."""
    (found,) = [call for call in calls if (call.op, call.type) == (op, type_) and name in (None, call.name)]
    return found


def before(first: Call, second: Call) -> bool:
    """Whether `first` was over before `second` began."""
    assert first.done is not None
    return first.done < second.begun


def is_a_safe_switch(calls: list[Call], old: str, new: str) -> None:
    """The newcomer is healthy, then the traffic moves, then the old one goes."""
    healthy = one(calls, "create", *WORKLOAD[new])
    group, warm_up = one(calls, "create", GROUP), one(calls, "create", RULE)
    moved = one(calls, "update", RULE, "api")
    assert before(group, warm_up)
    assert before(warm_up, healthy)
    assert before(healthy, moved)
    removals = [call for call in calls if call.op == "delete"]
    assert all(before(moved, call) for call in removals)
    assert before(one(calls, "delete", RULE), one(calls, "delete", GROUP))
    goes_in_order(calls, old)
    # Nothing that outlives an orchestrator was touched, but for the weights.
    assert [call.name for call in calls if call.op == "update"] == ["api"]


def goes_in_order(calls: list[Call], old: str) -> None:
    """What an orchestrator is made of goes kind after kind; where two share their names, each before its own."""
    for first, then in pairwise(GOES[old]):
        gone, going = ([call for call in calls if (call.op, call.type) == ("delete", each)] for each in (first, then))
        assert gone
        assert going
        share = {call.name for call in gone} == {call.name for call in going}
        assert all(before(one, other) for one, other in product(gone, going) if one.name == other.name or not share)


PASSAGES = [
    ("ecr", "production", ["ecs-ec2", "ecs-fargate", "eks", "swarm-ec2", "ecs-ec2"]),
    ("ecr-public", "trial", ["ecs-fargate", "eks", "ecs-ec2", "swarm-ec2", "ecs-fargate"]),
    ("oci", "standard", ["eks", "swarm-ec2", "ecs-fargate", "ecs-ec2", "eks"]),
    ("ecr", "standard", ["swarm-ec2", "eks", "ecs-fargate", "swarm-ec2"]),
]
"""Registry, preset, and a way from orchestrator to orchestrator and back to the first. Together they lead from every
orchestrator on AWS to every other, and each registry meets them all."""


def test_a_passage_leaves_out_no_switch() -> None:
    on_aws = [key for key in ORCHESTRATORS if orchestrator.load(key).Options.platform == "aws"]
    assert {step for _, _, way in PASSAGES for step in pairwise(way)} == set(permutations(on_aws, 2))
    pairs = {(registry, each) for registry, _, way in PASSAGES for each in way}
    assert pairs == set(product({registry for registry, _, _ in PASSAGES}, on_aws))


@pytest.mark.parametrize(
    ("registry", "preset", "way"), PASSAGES, ids=[f"{registry}-{way[0]}" for registry, _, way in PASSAGES]
)
def test_up_again_every_switch_and_destroy(tmp_path: Path, registry: str, preset: str, way: list[str]) -> None:
    first = way[0]
    with passage(tmp_path, registry, first, preset, more=MORE) as stack:
        stack.up()
        assert stack.preview() == {}
        url, edge = stack.outputs["url"], stack.edge()

        for old, new in pairwise(way):
            mark = len(stack.cloud.calls)
            stack.set(orchestrator=new)
            stack.up()
            is_a_safe_switch(stack.since(mark), old, new)
            assert stack.outputs["url"] == url
            assert stack.serving() == [new]
            assert stack.preview() == {}
        assert stack.edge() == edge  # away and back: P11

        stack.set(protect=False)  # what production guards has to be set free first
        stack.up()
        mark = len(stack.cloud.calls)
        stack.destroy()
        assert len(stack.cloud.state) == 0
        gone = stack.since(mark)
        goes_in_order(gone, first)
        # P10: what needs a way out while it dies has one.
        for way_out in (types.ROUTE, types.NAT_GATEWAY):
            for call in [each for each in gone if each.type == way_out]:
                assert before(one(gone, "delete", *NEEDS_A_WAY_OUT[first]), call)


def test_a_failure_at_each_create_of_a_switch_leaves_the_old_one_serving(tmp_path: Path) -> None:
    """Each resource of the newcomer fails at its first attempt, so `up` gets one layer further each time."""
    with passage(tmp_path / "once", "ecr", "ecs-fargate") as stack:
        stack.up()
        mark = len(stack.cloud.calls)
        stack.set(orchestrator="eks")
        stack.up()
        made = {(call.type, call.name) for call in stack.since(mark) if call.op == "create"}
    assert len(made) > 20

    with passage(tmp_path / "again", "ecr", "ecs-fargate") as stack:
        stack.up()
        stack.cloud.faults += [Fault(type_, "create", name=name) for type_, name in made if name != "api"]
        # The two orchestrators have resources of one name: of those the switch's is the second.
        both = {call.type for call in stack.cloud.calls if call.op == "create" and call.name == "api"}
        stack.cloud.faults += [
            Fault(type_, "create", 2 if type_ in both else 1, name=name) for type_, name in made if name == "api"
        ]
        stack.set(orchestrator="eks")
        mark = len(stack.cloud.calls)
        for _ in made:
            if _done(stack):
                break
            assert stack.serving() == ["ecs-fargate"]
        calls = stack.since(mark)
        assert {(call.type, call.name) for call in calls if call.op == "create" and not call.ok} == made
        assert stack.serving() == ["eks"]
        assert stack.preview() == {}
        removed = [call for call in calls if call.op == "delete"]
        assert all(before(one(calls, "update", RULE, "api"), call) for call in removed)


def _done(stack: Passage) -> bool:
    """Run `up`; False when it failed, which it may do only by a fault of the rehearsal's own."""
    try:
        stack.up()
    except engine.EngineError as failure:
        if "InternalFailure" not in str(failure):
            raise
        return False
    return True


def test_instances_that_do_not_come_or_go_are_seen_to_in_the_next_run(tmp_path: Path) -> None:
    faults = [
        Fault(types.AUTO_SCALING_GROUP, "create"),
        Fault(types.CAPACITY_PROVIDER, "create"),
        Fault(types.AUTO_SCALING_GROUP, "delete"),
    ]
    with passage(tmp_path, more=MORE, faults=faults) as stack:
        stack.up()
        stack.set(orchestrator="ecs-ec2")
        for _ in range(2):
            assert not _done(stack)
            assert stack.serving() == ["ecs-fargate"]
        stack.up()
        assert stack.serving() == ["ecs-ec2"]

        # Another image: the template, and by it the group, which replaces its instances.
        mark = len(stack.cloud.calls)
        stack.set(ecs_ec2={**BLOCKS["ecs-ec2"], "ami": "ami-0123456789abcdef0"})
        assert stack.up() == {"update": 2}
        assert [call.type for call in stack.since(mark)] == [types.LAUNCH_TEMPLATE, types.AUTO_SCALING_GROUP]

        stack.set(orchestrator="ecs-fargate")
        assert not _done(stack)
        assert stack.serving() == ["ecs-fargate"]
        stack.up()
        assert not stack.cloud.state.every(types.AUTO_SCALING_GROUP)
        assert stack.preview() == {}


def test_replicas_move_to_instances_of_another_architecture_in_two_steps(tmp_path: Path) -> None:
    """docs/ecs-on-ec2.md: in one step, AWS refuses to take from the cluster what the replicas still run on."""

    def types_of(*names: str) -> dict[str, object]:
        return {**BLOCKS["ecs-ec2"], "instance-types": list(names)}

    with passage(tmp_path, orchestrator="ecs-ec2") as stack:
        stack.up()
        arm = {"api": {**stack.service("api"), "architecture": "arm64"}}
        stack.set(services=arm, ecs_ec2=types_of("t4g.small"))
        with pytest.raises(engine.EngineError, match="capacity provider is in use and cannot be removed"):
            stack.up()
        assert stack.serving() == ["ecs-ec2"]
        for names in (("t4g.small", "t3.small"), ("t4g.small",)):
            stack.set(ecs_ec2=types_of(*names))
            stack.up()
            assert stack.serving() == ["ecs-ec2"]
        assert stack.preview() == {}
        assert [each.name for each in stack.cloud.state.every(types.AUTO_SCALING_GROUP)] == ["ec2-arm64"]


def test_the_gate_keeps_the_traffic_from_sick_replicas(tmp_path: Path) -> None:
    gate = {"interval": 0.01, "timeout": 0.2, "settle": 0}
    with passage(tmp_path, more={"gate": gate}, unhealthy_groups=["api-eks"]) as stack:
        stack.up()
        stack.set(orchestrator="eks")
        with pytest.raises(engine.EngineError) as closed:
            stack.up()
        assert "the traffic of api stays where it is: 0 of 1 wanted targets are healthy" in str(closed.value)
        assert "Target.ResponseCodeMismatch" in str(closed.value)
        assert "/healthz" in str(closed.value)
        assert stack.serving() == ["ecs-fargate"]

        stack.set(orchestrator="ecs-fargate")  # the way back is an ordinary `up`
        stack.up()
        assert stack.serving() == ["ecs-fargate"]
        assert types.EKS_CLUSTER not in {each.type for each in stack.cloud.state}


def test_a_move_by_hand_touches_nothing_but_weights(tmp_path: Path) -> None:
    with passage(tmp_path) as stack:
        stack.up()
        stack.set(traffic={"ecs-fargate": 100, "eks": 0})
        stack.up()
        assert stack.serving() == ["ecs-fargate"]
        for share in (1, 50, 100):
            stack.set(traffic={"ecs-fargate": 100 - share, "eks": share})
            assert stack.up() == {"update": 1}
            assert stack.serving() == (["ecs-fargate", "eks"] if share < 100 else ["eks"])
        stack.set(traffic=None, orchestrator="eks")
        mark = len(stack.cloud.calls)
        stack.up()
        assert stack.serving() == ["eks"]
        assert not [call for call in stack.since(mark) if call.op == "create"]


def adopt(stack: Passage) -> None:
    """Take what was interrupted into the state, as docs/how-a-switch-works.md does with jq."""
    saved = stack.stack.export_stack()
    assert saved.deployment
    (interrupted,) = saved.deployment["pending_operations"]
    (cluster,) = stack.cloud.state.every(types.EKS_CLUSTER)
    taken = [*saved.deployment["resources"], interrupted["resource"] | {"id": cluster.id}]
    deployment = {**saved.deployment, "resources": taken, "pending_operations": []}
    stack.stack.import_stack(auto.Deployment(saved.version, deployment))
    stack.stack.refresh()


def give_up(stack: Passage) -> None:
    """Delete it on AWS by other means, and have the state forget it."""
    (cluster,) = stack.cloud.state.every(types.EKS_CLUSTER)
    stack.cloud.state.remove(cluster)
    stack.stack.refresh(clear_pending_creates=True)


@pytest.mark.parametrize(("cure", "made"), [(adopt, [False]), (give_up, [False, True])])
def test_a_killed_engine_leaves_a_stack_that_can_be_mended(
    tmp_path: Path, cure: Callable[[Passage], None], made: list[bool]
) -> None:
    hang = Fault(types.EKS_CLUSTER, "create", how="hang")
    with passage(tmp_path, faults=[hang]) as stack:
        stack.up()
        stack.set(orchestrator="eks")
        _kill_while_it_makes(stack, types.EKS_CLUSTER)
        assert stack.serving() == ["ecs-fargate"]

        stack.stack.cancel()  # the dead engine's lock
        cure(stack)
        stack.up()
        assert [call.ok for call in stack.cloud.calls if (call.op, call.type) == ("create", types.EKS_CLUSTER)] == made
        assert len(stack.cloud.state.every(types.EKS_CLUSTER)) == 1
        assert stack.serving() == ["eks"]
        assert stack.preview() == {}


def test_without_a_cure_the_name_of_what_was_interrupted_is_taken(tmp_path: Path) -> None:
    """AWS goes on with what it was asked for, and no kind of refresh takes it into the state."""
    hang = Fault(types.EKS_CLUSTER, "create", how="hang")
    with passage(tmp_path, faults=[hang]) as stack:
        stack.up()
        stack.set(orchestrator="eks")
        _kill_while_it_makes(stack, types.EKS_CLUSTER)
        stack.stack.cancel()
        stack.stack.refresh()
        with pytest.raises(engine.EngineError, match=r"ResourceInUseException: .* switchyard-dev is taken"):
            stack.up()
        assert stack.serving() == ["ecs-fargate"]


def _kill_while_it_makes(stack: Passage, type_: str) -> None:
    """Kill the engine of an `up` in which the creation of a resource hangs. It saves its state with every step, as it
    does for users: what is left of that is what is tested."""
    workspace = stack.stack.workspace
    workspace.env_vars = {**workspace.env_vars, engine.SKIP_CHECKPOINTS: "false"}
    failures: list[BaseException] = []

    def switch() -> None:
        try:
            stack.up()
        except (engine.EngineError, auto.CommandError) as failure:
            failures.append(failure)

    running = threading.Thread(target=switch, daemon=True)
    running.start()
    _wait_for(stack, type_)
    _kill_engine()
    running.join(60)
    assert not running.is_alive()
    assert failures


def _wait_for(stack: Passage, type_: str) -> None:
    deadline = time.monotonic() + 60
    while not any(call.type == type_ for call in stack.cloud.calls):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _kill_engine() -> None:
    """As a runner does that loses its machine: no time to say goodbye."""
    children = subprocess.run(
        ["pgrep", "-P", str(os.getpid()), "pulumi"], stdout=subprocess.PIPE, text=True, check=True
    )
    for child in children.stdout.split():
        os.kill(int(child), signal.SIGKILL)


def test_a_service_waits_for_its_first_image(tmp_path: Path) -> None:
    with passage(tmp_path, services={"api": {"port": 8080}}) as stack:
        stack.up()
        made = {each.type for each in stack.cloud.state}
        assert types.ECR_REPOSITORY in made
        assert SERVICE not in made
        assert GROUP not in made
        (note, _) = stack.outputs["next"]
        assert "waits for its first image" in note
        assert "docker push" in stack.outputs["push"]["api"]

        digest = "sha256:" + "b" * 64
        stack.set(services={"api": {"port": 8080, "digest": digest}})
        with pytest.raises(engine.EngineError, match="CannotPullContainerError: failed to resolve ref"):
            stack.up()
        stack.push(digest)
        stack.up()
        assert stack.serving() == ["ecs-fargate"]


@pytest.mark.parametrize("key", WORKLOAD)
def test_a_secret_is_nowhere_in_plain_text(tmp_path: Path, key: str) -> None:
    path = "switchyard:services.api.secrets.DB_PASSWORD"
    with passage(tmp_path, orchestrator=key, secrets={path: "correct-horse-battery"}) as stack:
        stack.up()
        assert "correct-horse-battery" not in stack.saved()
        everything = [str(each.plain) for each in stack.cloud.state]
        holders = [
            each.type for each, text in zip(stack.cloud.state, everything, strict=True) if "correct-horse" in text
        ]
        in_the_vault = "aws:secretsmanager/secretVersion:SecretVersion"
        assert holders == ["kubernetes:core/v1:Secret" if key == "eks" else in_the_vault]


def test_what_exists_is_used_and_not_made(tmp_path: Path) -> None:
    listener = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/main/1/2"
    more = {
        "vpc": {"id": "vpc-123", "public-subnets": ["subnet-1", "subnet-2"], "private-subnets": ["subnet-3"]},
        "load-balancer": {"listener": listener, "security-group": "sg-1", "url": "https://api.example.com"},
    }
    existing = ["vpc-123", "subnet-1", "subnet-2", "subnet-3", "sg-1", listener]
    with passage(tmp_path, more=more, existing=existing) as stack:
        stack.up()
        made = {each.type for each in stack.cloud.state}
        assert not made & {types.VPC, types.SUBNET, types.LOAD_BALANCER, types.LISTENER}
        assert stack.outputs["url"] == "https://api.example.com"
        assert stack.preview() == {}
        stack.destroy()
        assert len(stack.cloud.state) == 0


def test_who_administers_a_cluster_has_access_while_it_is_there(tmp_path: Path) -> None:
    role = "arn:aws:iam::123456789012:role/ci"
    with passage(tmp_path, orchestrator="eks", more={"eks": {"admins": [role]}}) as stack:
        stack.up()
        assert stack.preview() == {}
        (policy,) = stack.cloud.state.every(types.ACCESS_POLICY)
        assert (policy.get("principalArn"), policy.get("policyArn")) == (role, ADMIN)
        stack.destroy()
        calls = stack.cloud.calls
        entry = one(calls, "delete", types.ACCESS_ENTRY, f"eks-{role}")
        assert before(one(calls, "delete", types.ACCESS_POLICY, f"eks-{role}-admin"), entry)
        assert before(entry, one(calls, "delete", types.EKS_CLUSTER))


def test_a_bad_configuration_makes_nothing(tmp_path: Path) -> None:
    with passage(tmp_path, more={"orchestrator": "ecs-fargat", "services": {"api": {"prot": 80}}}) as stack:
        with pytest.raises(engine.EngineError) as refusal:
            stack.up()
        said = str(refusal.value)
        assert "did you mean ecs-fargate?" in said
        assert "switchyard:services.api.prot" in said
        assert "Traceback" not in said
        assert not stack.cloud.calls


def test_too_few_zones_make_nothing(tmp_path: Path) -> None:
    with passage(tmp_path, preset="production", more={"aws:region": "us-west-1"}) as stack:
        with pytest.raises(engine.EngineError) as refusal:
            stack.up()
        said = str(refusal.value)
        assert said.startswith("zones: 3 availability zones are wanted, and us-west-1 has 2")
        assert len(said.splitlines()) == 1
        assert not stack.cloud.calls
