"""What the engine asks for: each operation is logged, takes its time, may go wrong, and may be cut off."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

import grpc  # type: ignore[import-untyped]

from rehearsal.clock import Clock
from rehearsal.package import Op, Urn
from rehearsal.state import CloudResource, Refused

LATE = "timeout while waiting for state to become 'ready'; the cloud has done it all the same"
"""What is said of an operation that the provider did not wait for."""
CUT_OFF = "nobody waited for the end; the cloud has done it all the same"
"""What is said of an operation whose answer has nowhere to go."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong with the n-th operation of a kind, counted from 1 since the cloud began."""

    type: str
    """The resource's type token."""
    op: Op | Literal["invoke"]
    """`invoke`: a data source is asked, whose token `type` is, or Systems Manager: ssm:SendCommand."""
    n: int = 1
    how: Literal["fail", "hang", "drop", "late"] = "fail"
    """`fail` with `message`; `hang` until the engine cancels or dies; `drop` every connection to the provider; `late`:
    the provider waits no longer, and says so. All but what failed is done all the same, and the engine is told only of
    what is late."""
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


class Traffic(Protocol):
    """Requests that flow over the cloud while it changes."""

    def felt(self, resource: CloudResource, stopped: Callable[[], bool]) -> str:
        """Return once callers feel what has become of a resource, or nobody waits for it; why it will never be well,
        else nothing. It takes real seconds."""


class Operation:
    """An operation under way."""

    def __init__(self, operations: "Operations", peer: str, fault: Fault | None) -> None:
        self.peer = peer
        self._operations = operations
        self._fault = fault
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Let it end now: the engine cancelled it, or is no more. What was asked for is done nevertheless."""
        self._stopped.set()
        self._operations.clock.wake()

    @property
    def cut_off(self) -> bool:
        """Whether nobody waits for its end any more."""
        return self._stopped.is_set()

    @property
    def is_late(self) -> bool:
        """Whether the provider gives up before the cloud has done it."""
        return self._fault is not None and self._fault.how == "late"

    def felt(self, resource: CloudResource) -> str:
        """Wait for callers to feel it, where there are any; why it will never be well, else nothing."""
        traffic = self._operations.traffic
        return traffic.felt(resource, self._stopped.is_set) if traffic else ""

    def take(self, seconds: float) -> None:
        """Take as long as the cloud would, or until it is cut off; or go wrong as the fault says."""
        fault = self._fault
        if fault is None or fault.how == "late":
            self._operations.clock.sleep(seconds, self._stopped.is_set)
        elif fault.how == "fail":
            raise Refused("Fault", fault.message, "the rehearsal was told to")
        else:
            if fault.how == "drop":
                self._operations.drop(fault.type.partition(":")[0])
            self._stopped.wait()


class Operations:
    """All operations since the cloud began."""

    def __init__(
        self,
        clock: Clock,
        faults: Sequence[Fault],
        on_call: Callable[[Call], None],
        drop: Callable[[str], None],
        traffic: Traffic | None = None,
    ) -> None:
        self.clock = clock
        self.traffic = traffic
        self.drop = drop
        self.calls: list[Call] = []
        self._faults = faults
        self._on_call = on_call
        self._seen: Counter[tuple[str, str, str | None]] = Counter()
        self._steps = 0
        self._under_way: set[Operation] = set()
        self._log = threading.Lock()

    def cancel(self, peer: str | None = None) -> None:
        """Cut the operations under way off: those that came by one connection, or all."""
        with self._log:
            under_way = [each for each in self._under_way if peer in (None, each.peer)]
        for operation in under_way:
            operation.stop()

    @property
    def questions(self) -> dict[str, int]:
        """How often what `ask` is told of was asked."""
        with self._log:
            return {type_: count for (type_, op, _), count in self._seen.items() if op == "invoke"}

    def ask(self, token: str) -> None:
        """Ask a data source, or another API of the cloud; raises what the fault says of it."""
        with self._log:
            self._seen[token, "invoke", None] += 1
            count = self._seen[token, "invoke", None]
            due = [each for each in self._faults if (each.type, each.op, each.n) == (token, "invoke", count)]
        for fault in due:
            raise Refused("Fault", fault.message, "the rehearsal was told to")

    @contextmanager
    def begin(self, op: Op, urn: Urn, context: grpc.ServicerContext) -> Iterator[Operation]:
        """Log an operation, and stop it when the engine goes away."""
        call, operation = self._begin(op, urn, context.peer())
        if not context.add_callback(operation.stop):
            operation.stop()  # the engine has gone already
        try:
            yield operation
            if operation.cut_off:
                raise Refused("Canceled", CUT_OFF, "rehearsal")
        except BaseException as error:
            call.error = str(error) if isinstance(error, Refused) else repr(error)
            raise
        finally:
            with self._log:
                self._under_way.discard(operation)
                call.end, call.done = self.clock.now, self._step()
                self._on_call(call)

    def _begin(self, op: Op, urn: Urn, peer: str) -> tuple[Call, Operation]:
        with self._log:
            for name in (None, urn.name):
                self._seen[urn.type, op, name] += 1
            fault = next((each for each in self._faults if self._due(each, op, urn)), None)
            call = Call(op, urn.type, urn.name, urn.text, self.clock.now, self._step())
            operation = Operation(self, peer, fault)
            self.calls.append(call)
            self._under_way.add(operation)
            self._on_call(call)
            return call, operation

    def _due(self, fault: Fault, op: Op, urn: Urn) -> bool:
        named = fault.name in (None, urn.name)
        alike = (fault.type, fault.op) == (urn.type, op)
        return named and alike and self._seen[urn.type, op, fault.name] == fault.n

    def _step(self) -> int:
        self._steps += 1
        return self._steps
