"""Hooks that wait do so beside each other, and what they raise is told."""

import asyncio
from threading import Barrier

import pulumi
import pytest

from components import hooks
from components.testing.cloud import Cloud
from components.testing.engine import deploy, start


def hook(work: object) -> pulumi.ResourceHook:
    made: list[pulumi.ResourceHook] = []
    start(Cloud())
    deploy(lambda: made.append(hooks.waiting("wait", work)))  # type: ignore[arg-type]
    return made[0]


async def called(bound: pulumi.ResourceHook, times: int) -> None:
    calls = [bound.callback(pulumi.ResourceHookArgs("urn", "id", str(each), "type")) for each in range(times)]
    await asyncio.gather(*[each for each in calls if each is not None])


def test_a_hundred_wait_at_once() -> None:
    all_there = Barrier(100, timeout=20)
    asyncio.run(called(hook(lambda _: all_there.wait()), 100))


def test_what_one_raises_the_engine_is_told() -> None:
    def closed(args: pulumi.ResourceHookArgs) -> None:
        raise RuntimeError(f"the traffic of {args.name} stays where it is")

    with pytest.raises(RuntimeError, match="the traffic of 0 stays where it is"):
        asyncio.run(called(hook(closed), 1))
