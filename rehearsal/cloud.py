"""The pretend cloud: providers for aws, eks and kubernetes behind the real engine, one world, one clock."""

import math
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

import grpc  # type: ignore[import-untyped]

from rehearsal import aws, elb, health, kms, ssm, swarm
from rehearsal.aws_package import Aws
from rehearsal.clock import Clock
from rehearsal.kubernetes import Kubernetes
from rehearsal.package import Op, Resource
from rehearsal.refusals import CUT_OFF, Refused
from rehearsal.server import CloudServicer, EksServicer, Server
from rehearsal.world import World


@dataclass(frozen=True)
class Fault:
    """What goes wrong with the n-th operation of a kind, counted from 1 since the cloud began."""

    type: str
    """The resource's type token."""
    op: Op
    n: int = 1
    how: Literal["fail", "hang", "drop"] = "fail"
    """`fail` with `message`; `hang` until the engine cancels or dies; `drop` every connection to the provider. What
    hung or was dropped is done all the same, but the engine was not told."""
    message: str = "InternalFailure: The request processing has failed because of an unknown error."
    name: str | None = None
    """Only operations on the resource of this name count; None: all of the type."""


@dataclass
class Call:
    """One operation that the engine asked for. Times are rehearsal seconds."""

    op: Op
    type: str
    name: str
    urn: str
    start: float
    begun: int
    """Its place among all beginnings and ends, for who waited for whom."""
    end: float | None = None
    done: int | None = None
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether it ended well."""
        return self.done is not None and self.error is None


class Operation:
    """An operation under way."""

    def __init__(self, cloud: "Cloud", peer: str, fault: Fault | None) -> None:
        self.peer = peer
        self._cloud = cloud
        self._fault = fault
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Let it end now: the engine cancelled it, or is no more. What was asked for is done nevertheless."""
        self._stopped.set()
        self._cloud.clock.wake()

    @property
    def cut_off(self) -> bool:
        """Whether nobody waits for its end any more."""
        return self._stopped.is_set()

    def take(self, seconds: float) -> None:
        """Take as long as the cloud would, or until it is cut off; or go wrong as the fault says."""
        fault = self._fault
        if fault is None:
            self._cloud.clock.sleep(seconds, self._stopped.is_set)
        elif fault.how == "fail":
            raise Refused("Fault", fault.message, "the rehearsal was told to")
        else:
            if fault.how == "drop":
                self._cloud.drop(fault.type.partition(":")[0])
            self._stopped.wait()


class Cloud:
    """A cloud for as long as its `with` block runs.

    `scale` is real seconds a rehearsal second: 0 waits for nothing and no time passes. `on_call` is told of each
    operation when it begins and when it ends, in the order of `Call.begun` and `Call.done`. `existing` are ids and
    ARNs that somebody else made. Target groups named in `sick` (by their name in the program) never have a healthy
    target. `images` are digests that are in each repository from its beginning; others have to be pushed.
    """

    def __init__(
        self,
        scale: float = 0,
        faults: Iterable[Fault] = (),
        on_call: Callable[[Call], None] = lambda _: None,
        existing: Iterable[str] = (),
        sick: Iterable[str] = (),
        images: Iterable[str] = (),
    ) -> None:
        self.world = World(existing=set(existing), sick=set(sick), images=set(images))
        self.faults = list(faults)
        self.calls: list[Call] = []
        self._scale = scale
        self._on_call = on_call
        self._seen: Counter[tuple[str, Op, str | None]] = Counter()
        self._steps = 0
        self._under_way: set[Operation] = set()
        self._log = threading.Lock()

    def __enter__(self) -> Self:
        self.clock = Clock(self._scale)
        self._elb = elb.serve(self.targets)
        self._ssm = ssm.serve(self._online, self._command)
        self._kms = kms.serve()
        self._servers = {
            "aws": Server(CloudServicer(Aws(self.world), self)),
            "eks": Server(EksServicer("eks")),
            "kubernetes": Server(CloudServicer(Kubernetes(self.world), self)),
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()
        for server in self._servers.values():
            server.stop()
        for endpoint in (self._elb, self._ssm, self._kms):
            endpoint.close()
        self.clock.close()

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
            "PULUMI_CLOUD_SECRET_OVERRIDE": "",  # the caller's, which would go before the stack's own
        }

    def push(self, repository: str, digest: str) -> None:
        """Push an image to a repository, named by `<registry>/<name>`."""
        with self.world.lock:
            self.world.pushed[repository].add(digest)

    def targets(self, arn: str) -> list[health.Target] | None:
        """The targets of a group, as the load balancer sees them; None: no such group."""
        with self.world.lock:
            group = self.world.find(aws.TARGET_GROUP, arn)
            if group is None:
                return None
            # Where no time passes, first checks are over at once.
            now = self.clock.now if self._scale else math.inf
            targets = health.targets(self.world, group, now)
        if any(each.state == "initial" for each in targets):
            self.clock.remind(health.FIRST_CHECKS)
        return targets

    def _online(self, tag: str, value: str) -> list[str]:
        with self.world.lock:
            return swarm.members(self.world, tag, value)

    def _command(self, instance: str, script: str) -> ssm.Ran:
        self.clock.touch()
        return swarm.run(self.world, instance, script)

    def cancel(self, peer: str | None = None) -> None:
        """Cut the operations under way off: those that came by one connection, or all."""
        with self._log:
            under_way = [each for each in self._under_way if peer in (None, each.peer)]
        for operation in under_way:
            operation.stop()

    def drop(self, package: str) -> None:
        """Break all connections to a package's provider off; new ones find it again."""

        def restart() -> None:
            self._servers[package].stop()
            self._servers[package].start()

        # Not here: the caller serves one of those connections.
        threading.Thread(target=restart, daemon=True).start()

    @contextmanager
    def operation(self, op: Op, resource: Resource, context: grpc.ServicerContext) -> Iterator[Operation]:
        """Log an operation, and stop it when the engine goes away."""
        call, operation = self._begin(op, resource, context.peer())
        if not context.add_callback(operation.stop):
            operation.stop()  # the engine has gone already
        try:
            yield operation
            if operation.cut_off:
                raise Refused("Canceled", CUT_OFF, "rehearsal")
        except Refused as refusal:
            call.error = str(refusal)
            raise
        except BaseException as error:
            call.error = repr(error)
            raise
        finally:
            with self._log:
                self._under_way.discard(operation)
                call.end, call.done = self.clock.now, self._step()
                self._on_call(call)

    def _begin(self, op: Op, resource: Resource, peer: str) -> tuple[Call, Operation]:
        with self._log:
            for name in (None, resource.name):
                self._seen[resource.type, op, name] += 1
            fault = next((each for each in self.faults if self._due(each, op, resource)), None)
            call = Call(op, resource.type, resource.name, resource.urn, self.clock.now, self._step())
            operation = Operation(self, peer, fault)
            self.calls.append(call)
            self._under_way.add(operation)
            self._on_call(call)
            return call, operation

    def _due(self, fault: Fault, op: Op, resource: Resource) -> bool:
        named = fault.name in (None, resource.name)
        alike = (fault.type, fault.op) == (resource.type, op)
        return named and alike and self._seen[resource.type, op, fault.name] == fault.n

    def _step(self) -> int:
        self._steps += 1
        return self._steps
