"""What is told of a stack, in words that a page and a terminal each print in their own way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from components.shell import command
from config.yaml_text import flow
from yard.differing.fields import Change, Value
from yard.differing.result import FATES, Cost, Policy, Report, Resource, StackDiff, Traffic

LOSING = FATES[2:]
LONGEST = 120
"""Characters of a value or a list of properties that are shown."""
SEEN = 10
"""Resources of one fate that everyone must see; all are in the detail."""
FOOT = (
    "Rehearsed with the real Pulumi engine over a pretend cloud: no account was asked. Costs are estimates, with every"
    " service running."
)


class Code(str):
    """Text that is not ours: a name, a value, a command. Whoever prints it must print it as it is, and nothing else."""


Said = Sequence[str]
"""A sentence in parts, of which some are `Code`."""


@dataclass(frozen=True)
class Block:
    """What a program says, on lines of its own."""

    text: str


Note = Said | Block


def visible(text: str) -> str:
    """Text on one line, in which nothing is hidden: no control character, and none that turns the writing round."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def summary(stack: StackDiff) -> str:
    """The stack in a line, after its name."""
    if stack.kind == "removed":
        return "its file is removed"
    if stack.invalid:
        return "the configuration is wrong"
    cost = f"; {money(stack.cost)}" if stack.cost else ""
    if stack.refused:
        return f"it cannot be brought up{cost}"
    if stack.beyond:
        return f"not rehearsed{cost}"
    counts = ", ".join(f"{stack.count(fate)} {fate}" for fate in FATES)
    return (counts if stack.resources else "no resource changes") + cost


def money(cost: Cost) -> str:
    """What is added to the month's cost."""
    if cost.change is None:
        return "what it adds to the cost is not known"
    return f"{cost.change:+,} USD a month" if cost.change else "the same cost"


PROBLEMS = {
    "base": "The base was not brought up, so whatever the head has is told as created:",
    "invalid": "The head's configuration is wrong:",
    "refused": "The head cannot be brought up:",
    "beyond": "Not rehearsed; fields and costs are compared all the same:",
}
"""What a program says of a stack -> what is said before it."""


def notes(stack: StackDiff) -> Iterator[Note]:
    """What everyone must see."""
    if stack.kind == "removed":
        yield from _removed(stack.name)
    if stack.kind == "new":
        yield ("A new stack.",)
    for name, sentence in PROBLEMS.items():
        if text := getattr(stack, name):
            yield (sentence,)
            yield Block(text)
    yield from _policies(stack.policies)
    if stack.traffic:
        yield from _traffic(stack.traffic)
    for fate in LOSING:
        if lost := [each for each in stack.resources if each.fate == fate]:
            yield (f"{fate.capitalize()}: ", *_joined(lost))


def _policies(broken: Sequence[Policy]) -> Iterator[Note]:
    yield from map(_policy, broken[:SEEN])
    if len(broken) > SEEN:
        yield (f"It breaks {len(broken) - SEEN} policies more.",)


def _policy(broken: Policy) -> Note:
    key = (" (key ", Code(broken.key), ")") if broken.key else ()
    resource = (Code(broken.name), " ", Code(broken.type.rpartition(":")[2]))
    return (f"It breaks {broken.level} policy {broken.control}: ", *resource, f": {broken.says}", *key, ".")


def _joined(resources: Sequence[Resource]) -> Iterator[str]:
    for place, each in enumerate(resources[:SEEN]):
        yield ", " if place else ""
        yield Code(each.name)
        yield " "
        yield Code(each.type.rpartition(":")[2])
    if len(resources) > SEEN:
        yield f", and {len(resources) - SEEN} more"


def _removed(stack: str) -> Iterator[Note]:
    yield (
        "That deletes nothing: what is up stays, and goes on costing. From a checkout of the base, ",
        Code(command("pulumi", "destroy", "--stack", stack)),
        " removes it.",
    )


def _traffic(traffic: Traffic) -> Iterator[Note]:
    for service, (before, after) in traffic.moves.items():
        yield ("Traffic of ", Code(service), " moves from ", Code(before), " to ", Code(after), ".")
    if not traffic.moves:
        yield ("No traffic moves.",)
    for service, (url, other) in traffic.urls.items():
        then = (" changes to ", Code(_url(other))) if other else (" is gone",)
        yield ("The address of ", Code(service), ", ", Code(_url(url)), ",", *then, ".")
    stays = "Every address stays" if not traffic.urls else "On the way there"
    if traffic.broken:
        yield (f"{stays}, but not every caller is answered: ", Code(traffic.broken), ".")
    elif traffic.urls:
        yield (f"{stays} every caller is answered.",)
    else:
        yield (f"{stays}, and every caller is answered throughout.",)


def _url(url: str) -> str:
    """An address; of a load balancer that nobody has made, whose name is made up, only what it is."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    own = host.endswith(".elb.amazonaws.com")
    return f"{scheme}://{'<the load balancer>' if own else host}{slash}{path}"


def named(resource: Resource) -> Said:
    """A resource, and which of its properties change."""
    because = (": ", Code(shortened(", ".join(resource.because)))) if resource.because else ()
    return (Code(resource.name), " ", Code(resource.type), *because)


def ordered(stack: StackDiff) -> Sequence[Resource]:
    """Its resources by what becomes of them."""
    return sorted(stack.resources, key=lambda each: FATES.index(each.fate))


def heading(report: Report) -> Said:
    """From what to what."""
    return ("from ", Code(report.base), " to ", Code(report.head))


def remarks(report: Report) -> Iterator[Said]:
    """What is to be known of the two programs."""
    for revision, why in report.notes.items():
        yield (Code(revision), f": {why}")


def changed(report: Report) -> Sequence[StackDiff]:
    """The stacks that have something to tell."""
    return [each for each in report.stacks if each.kind != "unchanged"]


def unchanged(report: Report) -> Iterator[Said]:
    """A sentence about the others."""
    names = [part for each in report.stacks if each.kind == "unchanged" for part in (", ", Code(each.name))]
    if names:
        yield ("Nothing changes in ", *names[1:], ".")


def field(change: Change) -> Said:
    """A field, before and after."""
    if change.hidden:
        return (Code(change.key), ": changed; its value is not shown")
    if change.before is None:
        return (Code(change.key), ": set to ", *_value(change.after))
    if change.after is None:
        return (Code(change.key), ": taken out; it was ", *_value(change.before))
    return (Code(change.key), ": ", *_value(change.before), " to ", *_value(change.after))


def _value(value: Value | None) -> Said:
    if value is None:
        return ("nothing",)
    if value.written:
        return (Code(shortened(flow(value.value))),)
    return ("the default",) if isinstance(value.value, dict) else (Code(shortened(flow(value.value))), " (the default)")


def shortened(text: str) -> str:
    """Its beginning, where it is long."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def rows(cost: Cost) -> Iterator[tuple[str, str, str, str]]:
    """The lines that are different, and at the end the total: what, before, after, change."""
    for each in cost.lines:
        yield each.what, f"{each.before:,}", f"{each.after:,}", f"{each.change:+,}"
    yield "total", _known(cost.before, ","), _known(cost.after, ","), _known(cost.change, "+,")


def _known(usd: Decimal | None, form: str) -> str:
    return "?" if usd is None else f"{usd:{form}}"
