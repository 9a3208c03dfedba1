"""The last look of an `up` in one step: when its newcomer has all requests, and before what it replaces is removed.

`yard switch` moves the weights in steps and looks after each. An `up` in one step moves them all at once, and cannot
take them back. But where it fails, nothing is removed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pulumi

from components.guard import EARLIER, LOOK, GuardOptions, Seen, SeenOf, Watch, breaches, few, now, uncompared
from components.hooks import INTERRUPTED

FORMER = "what it replaces"
"""What had the requests before, in messages: by its orchestrator's name the program knows only what is new."""
WatchOf = Callable[[str, Sequence[str], Mapping[str, Any]], Watch | None]
"""A service, groups of its traffic rule, and the rule's inputs -> who knows what callers get from each of these groups;
None: nobody does."""


class Worse(Exception):
    """Callers get worse answers than before; the message says in what, and how to go on."""


@dataclass(frozen=True)
class LastLook:
    """Compares the newcomer of a service with what it replaces."""

    options: GuardOptions
    watch: WatchOf
    sleep: Callable[[float], object] = INTERRUPTED.wait
    clock: Callable[[], datetime] = now

    def over(self, service: str, rule: Mapping[str, Any], groups: tuple[str, str], to: str, since: datetime) -> None:
        """Raise `Worse` where callers got worse answers since the weights moved from the first of `groups` to the
        second, that of the orchestrator `to`. Figures that cannot be had are told, and are no reason to fail."""
        try:
            watch = self.watch(service, groups, rule)
            wrong = self._wrong(service, watch, dict(zip(groups, (FORMER, to), strict=True)), since) if watch else []
        except Exception as error:  # of boto3, a Docker engine or the network
            pulumi.log.warn(f"{service}: what callers get cannot be asked ({type(error).__name__}: {error})")
            return
        if wrong:
            raise Worse(_told(service, to, wrong))

    def _wrong(self, service: str, watch: Watch, called: Mapping[str, str], since: datetime) -> Sequence[str]:
        _, to = called.values()

        def seen(start: datetime, end: datetime) -> SeenOf:
            return {service: {called[group]: each for group, each in watch.seen(start, end)[service].items()}}

        had = seen(since - EARLIER, since)[service].get(FORMER, Seen())
        before = {service: had} if had.requests >= self.options.samples else {}
        last = self.clock() + timedelta(seconds=self.options.patience)
        while True:
            at = self.clock()
            of = seen(since, at)
            lacking = few(self.options, to, of)
            wrong = [*breaches(self.options, to, FORMER, of, before), *watch.alarms(self.options.alarms)]
            # Where there were few requests before, more time would bring few.
            if wrong or not (lacking and before) or at >= last or INTERRUPTED.is_set():
                if lacking and not wrong:
                    pulumi.log.info(uncompared(self.options, service, to, lacking[service]))
                return wrong
            self.sleep(min(LOOK, (last - at).total_seconds()))


def _told(service: str, to: str, wrong: Sequence[str]) -> str:
    lines = "\n".join(f"  - {each}" for each in wrong)
    return (
        f"{service} answers worse than before, so nothing is removed:\n{lines}\n"
        f"All its requests go to {to}, and {FORMER} is still there. To give them back, set the configuration as it"
        " was and run `pulumi up`. To go on in spite of it, run `pulumi up` as it is."
    )
