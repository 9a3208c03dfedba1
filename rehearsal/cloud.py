"""The pretend cloud: providers for aws, eks, kubernetes and third parties' packages behind the real engine."""

import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Self

from rehearsal import swarm
from rehearsal.apis import cloudwatch, ecs, elb, kms, kubernetes, logs, ssm
from rehearsal.aws import health, types
from rehearsal.aws.package import Aws, RowPackage
from rehearsal.aws.rows import load
from rehearsal.clock import Clock
from rehearsal.kubernetes import Kubernetes
from rehearsal.operations import Call, Fault, Operations
from rehearsal.package import Package
from rehearsal.server import CloudServicer, EksServicer, Server
from rehearsal.state import CloudState
from rehearsal.tasks import Ending, Ends
from rehearsal.traffic.passed import Minute
from rehearsal.traffic.plane import Plane


class Cloud:
    """A cloud for as long as its `with` block runs.

    `scale` is real seconds a rehearsal second: 0 waits for nothing and no time passes. `on_call` is told of each
    operation when it begins and when it ends, in the order of `Call.begun` and `Call.done`. `existing` are ids and
    ARNs of what the stack did not make, `disabled_keys` those of KMS keys among them that are not enabled.
    `unhealthy_groups` are target groups, by their name in the program, that never have a healthy target. `images` are
    digests that each repository has from its beginning; others have to be pushed. `ends` says how a command ends that
    is run once. `plane` carries requests over it.
    """

    def __init__(
        self,
        scale: float = 0,
        faults: Iterable[Fault] = (),
        on_call: Callable[[Call], None] = lambda _: None,
        existing: Iterable[str] = (),
        disabled_keys: Iterable[str] = (),
        unhealthy_groups: Iterable[str] = (),
        images: Iterable[str] = (),
        ends: Ends = lambda _: Ending(),
        plane: Plane | None = None,
    ) -> None:
        self.state = CloudState(existing=set(existing), unhealthy_groups=set(unhealthy_groups), images=set(images))
        self.state.disabled_keys |= {*disabled_keys}
        self.state.tasks.ends = ends
        self.faults = list(faults)
        self._scale = scale
        self._on_call = on_call
        self._plane = plane

    def __enter__(self) -> Self:
        if self._plane:
            self._plane.start(self.state)
        packages = self._packages()
        self.clock = Clock(self._scale)
        self._operations = Operations(self.clock, self.faults, self._on_call, self.drop, self._plane)
        self._elb = elb.serve(self.targets)
        self._ssm = ssm.serve(self._online, self._command, lambda action: self._operations.ask(f"ssm:{action}"))
        self._kms = kms.serve()
        self._ecs, self._logs = ecs.serve(self.state), logs.serve(self.state)
        self._cloudwatch = cloudwatch.serve(self._passed)
        self._eks = kubernetes.serve(self.state, self.targets)
        self._servers = {each.name: Server(CloudServicer(each, self._operations)) for each in packages}
        self._servers["eks"] = Server(EksServicer("eks"))
        return self

    def _packages(self) -> list[Package]:
        rows = load()
        others = rows.packages - {"aws", "eks", "kubernetes"}
        theirs = [RowPackage(name, self.state, rows) for name in sorted(others)]
        return [Aws(self.state, rows), Kubernetes(self.state), *theirs]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._operations.cancel()
        for server in self._servers.values():
            server.stop()
        known = (self._elb, self._ssm, self._kms, self._ecs, self._logs, self._cloudwatch, self._eks)
        for endpoint in known:
            endpoint.close()
        self.clock.close()
        if self._plane:
            self._plane.stop()

    @property
    def calls(self) -> list[Call]:
        """The operations so far."""
        return self._operations.calls

    @property
    def questions(self) -> Mapping[str, int]:
        """How often each data source, and each action of Systems Manager (ssm:SendCommand), was asked so far."""
        return self._operations.questions

    @property
    def asked(self) -> health.Asked:
        """What checks of replicas that really run have found."""
        return self._plane.asked if self._plane else health.nobody

    @property
    def env(self) -> dict[str, str]:
        """Environment variables that lead the engine, the program and boto3 here. The keys are no credentials."""
        return {
            "PULUMI_DEBUG_PROVIDERS": ",".join(f"{name}:{server.port}" for name, server in self._servers.items()),
            "AWS_ACCESS_KEY_ID": "rehearsal",
            "AWS_SECRET_ACCESS_KEY": "rehearsal",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2": self._elb.url,
            "AWS_ENDPOINT_URL_SSM": self._ssm.url,
            "AWS_ENDPOINT_URL_KMS": self._kms.url,
            "AWS_ENDPOINT_URL_ECS": self._ecs.url,
            "AWS_ENDPOINT_URL_EKS": self._eks.url,
            "AWS_ENDPOINT_URL_CLOUDWATCH": self._cloudwatch.url,
            "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": self._logs.url,
            "PULUMI_CLOUD_SECRET_OVERRIDE": "",  # the caller's, which would go before the stack's own
        }

    def push(self, repository: str, digest: str) -> None:
        """Push an image to a repository, named by `<registry>/<name>`."""
        with self.state.lock:
            self.state.pushed[repository].add(digest)

    def targets(self, arn: str) -> list[health.Target] | None:
        """The targets of a group, as the load balancer sees them; None: no such group."""
        with self.state.lock:
            group = self.state.find(types.TARGET_GROUP, arn)
            if group is None:
                return None
            # Where no time passes, first checks are over at once.
            now = self.clock.now if self._scale else math.inf
            targets = health.targets(self.state, group, now, self.asked)
        if any(each.state == "initial" for each in targets):
            self.clock.remind(health.FIRST_CHECKS)
        return targets

    def _passed(self, group: str, start: float, end: float) -> Mapping[float, Minute]:
        """What came to the target group whose ARN ends so. Where no requests are carried there were none."""
        with self.state.lock:
            names = [each.name for each in self.state.every(types.TARGET_GROUP) if each.id.endswith(f":{group}")]
        return self._plane.passed.between(names[0], start, end, time.time()) if self._plane and names else {}

    def _online(self, tag: str, value: str) -> list[str]:
        with self.state.lock:
            return swarm.members(self.state, tag, value)

    def _command(self, instance: str, script: str) -> ssm.CommandResult:
        self.clock.touch()
        result = swarm.run(self.state, instance, script)
        if self._plane:
            self._plane.look()
        return result

    def drop(self, package: str) -> None:
        """Break all connections to a package's provider off; new ones find it again."""

        def restart() -> None:
            self._servers[package].stop()
            self._servers[package].start()

        # Not here: the caller serves one of those connections.
        threading.Thread(target=restart, daemon=True).start()
