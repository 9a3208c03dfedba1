"""What is said beside the figures, on a terminal and in pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from components.estimate import Estimate, cents
from components.prices import Status, Tier

LEGEND = "~ a price in it is not from its vendor's list; ? nobody knows; +? there is more."
TITLES = {
    "unknown": "What these figures leave out",
    "notes": "Good to know",
    "conditions": "What it could cost more",
    "refused": "Pairs that are refused",
    "assumed": "What is assumed",
    "confidence": "How the prices are known",
}
"""What is said below the figures, in its order."""
HOW: Mapping[Status, str] = {
    "verified": "read at the vendor",
    "recorded": "as others recorded the vendor's list",
    "third-party": "read elsewhere (~)",
    "derived": "worked out (~)",
    "memory": "found in no text (~)",
}
"""How a price is known, in words."""


BRIEFLY: Mapping[Status, str] = {
    "verified": "read at the vendor",
    "recorded": "recorded by others",
    "third-party": "read elsewhere (~)",
    "derived": "worked out (~)",
    "memory": "from memory (~)",
}


def how_known(tiers: Iterable[Tier], how: Mapping[Status, str] = HOW) -> str:
    """How many of these prices are known in which way."""
    counts = Counter({(tier.source, tier.as_of, tier.usd): tier.status for tier in tiers}.values())
    return ", ".join(f"{counts[status]} {words}" for status, words in how.items() if counts[status])


def texts(found: Sequence[Estimate], texts_of: Callable[[Estimate], Iterable[str]]) -> Iterator[str]:
    """What is said of pairs, a sentence each, once, with whose it is: an orchestrator's, a registry's, a pair's; all
    pairs' without a name."""
    whose: dict[str, set[Key]] = {}
    for each in found:
        for text in texts_of(each):
            whose.setdefault(text, set()).add(_key(each))
    every = {_key(each) for each in found}
    for text, pairs in whose.items():
        said = text if text.endswith(".") else f"{text}."
        yield said if pairs == every else f"{listed([*_names(pairs, every)])}: {said}"


def unknown(found: Sequence[Estimate]) -> Iterator[str]:
    """What is in no figure, those of one reason together."""
    yield from texts(found, left_out)


def left_out(of: Estimate) -> tuple[str, ...]:
    """What is in no figure of a pair."""
    by_reason: dict[str, list[str]] = {}
    for what, why in of.missing:
        by_reason.setdefault(why, []).append(what)
    return tuple(
        f"nothing is counted for {listed([*dict.fromkeys(whats)])}, because {why}" for why, whats in by_reason.items()
    )


def conditions(found: Sequence[Estimate]) -> Iterator[str]:
    """What does not hold today, and what it would add."""
    added: dict[str, set[Decimal]] = {}
    for each in found:
        for text, usd in each.conditions.items():
            added.setdefault(text, set()).add(cents(usd))
    for text, amounts in added.items():
        yield f"{' to '.join(f'{usd:,}' for usd in sorted({min(amounts), max(amounts)}))} USD a month more if {text}."


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


Key = tuple[str, tuple[str, ...]]


def _key(each: Estimate) -> Key:
    return each.registry, each.orchestrators


def _names(pairs: set[Key], every: set[Key]) -> Iterator[str]:
    rest = set(pairs)
    for place in (1, 0):  # orchestrators first: most is theirs
        for name in sorted({pair[place] for pair in rest}, key=str):
            theirs = {pair for pair in every if pair[place] == name}
            if theirs <= pairs:
                yield name if isinstance(name, str) else " and ".join(name)
                rest -= theirs
    yield from sorted(f"{registry} with {' and '.join(runtimes)}" for registry, runtimes in rest)
