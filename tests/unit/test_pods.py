"""What a pod's own words mean for the replica that it is."""

from datetime import UTC, datetime

from components.operations import End, Replica, pods
from tests.pods import BACK_OFF, CRASHED, DIGEST, RUNNING, WANTED, pod


class TestPods:
    """What is not seen in every cluster."""

    def test_the_load_balancer_s_gate_says_why(self) -> None:
        gated = pod("api-1", RUNNING)
        gate = "target-health.eks.amazonaws.com/k8s-api"
        gated["spec"]["readinessGates"] = [{"conditionType": gate}]
        gated["status"]["conditions"].append({"type": gate, "status": "False", "message": "Health checks failed"})
        assert pods.replica("api", gated).why == "Health checks failed"

    def test_a_pod_without_a_node_says_why(self) -> None:
        late = pod("api-1", {})
        late["status"] = {
            "phase": "Pending",
            "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes: Insufficient cpu"}],
        }
        assert pods.replica("api", late).why == "0/3 nodes: Insufficient cpu"
        assert pods.replica("api", late).state == "pending"

    def test_one_that_leaves_is_not_healthy_and_no_failure(self) -> None:
        leaves = pod("api-1", RUNNING, ready=True)
        leaves["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        assert pods.replica("api", leaves) == Replica("api-1", "terminating", False, DIGEST)

    def test_an_evicted_one_is_a_failure_and_no_replica(self) -> None:
        gone = pod("api-1", {})
        gone["status"] = {"phase": "Failed", "reason": "Evicted", "message": "low on memory", "startTime": "2026"}
        found = pods.running("api", WANTED, [gone], {})
        assert found.replicas == []
        assert found.failure == "api-1 ended at 2026: Evicted: low on memory"

    def test_ends_are_those_that_nobody_asked_for(self) -> None:
        again = pod("api-1", BACK_OFF, lastState={"terminated": CRASHED}, restartCount=3)
        over = pod("api-2", {"terminated": {**CRASHED, "exitCode": 0, "reason": "Completed", "message": ""}})
        leaves = pod("api-3", {"terminated": CRASHED})
        leaves["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        at = datetime(2026, 1, 1, 0, 0, 9, tzinfo=UTC)
        assert list(pods.ends("api", [again, over, leaves, pod("api-4", RUNNING, ready=True)])) == [
            End("api-1", at, "exit code 2 (Error): no such flag"),
            End("api-2", at, "exit code 0 (Completed)"),
        ]

    def test_by_tag_the_node_names_the_digest(self) -> None:
        tagged = pod("api-1", RUNNING, imageID=f"acme/api@{DIGEST}")
        tagged["spec"]["containers"][1]["image"] = "acme/api:latest"
        assert pods.replica("api", tagged).digest == DIGEST

    def test_of_a_long_message_the_end_is_shown(self) -> None:
        assert pods.shown(f"{'x' * 500}\nthe reason").endswith("the reason")
        assert len(pods.shown("x" * 500)) < 310
