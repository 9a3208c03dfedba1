"""Rows at work: the package aws, and packages of third parties."""

import json
from dataclasses import replace
from typing import Any

from rehearsal import wire
from rehearsal.aws.data_source import Question
from rehearsal.aws.everywhere import refuse_deleting, refuse_making
from rehearsal.aws.making import Facts
from rehearsal.aws.resource_type import EVERYTHING, ResourceType
from rehearsal.aws.rows import Rows
from rehearsal.package import Naming, Op, Package, Urn, public, updated
from rehearsal.state import CloudResource, CloudState, Refused
from rehearsal.wire import Properties

QUICK = 5.0
"""Seconds of an operation that does not wait for a steady state."""
IN_PLACE = ("tags", "tagsAll", "skipDestroy", "trackLatest")
"""What can be changed even where everything else replaces."""


class RowPackage(Package):
    """A package of Pulumi, as far as it has rows."""

    def __init__(self, name: str, state: CloudState, rows: Rows) -> None:
        super().__init__(state)
        self.name = name
        self._rows = rows
        state.registers |= {token: row.registers for token, row in rows.types.items() if row.registers}

    def check(self, urn: Urn, news: Properties, olds: Properties, naming: Naming) -> Properties:
        name = self._row(urn.type).name
        if name is None or name.key in news or f"{name.key}Prefix" in news:
            return news
        kept = olds.get(name.key) if name.key in olds.get(wire.DEFAULTS, []) else None
        return news | {name.key: kept or naming.unique(7, name.longest, name.lower), wire.DEFAULTS: [name.key]}

    def replaces(self, type_: str, path: str) -> bool:
        replacing = self._row(type_).replace
        return not wire.under(path, IN_PLACE) if replacing == EVERYTHING else wire.under(path, replacing.split())

    def one_at_a_time(self, type_: str, olds: Properties, news: Properties) -> bool:
        name = self._row(type_).name
        if name is None or name.key in news.get(wire.DEFAULTS, []):
            return False
        return news.get(name.key) is not None and news.get(name.key) == olds.get(name.key)

    def completed(self, outputs: Properties, config: Properties) -> Properties:
        """The outputs with what the provider adds to those of every type."""
        return outputs

    def make(self, urn: Urn, inputs: Properties, config: Properties) -> CloudResource:
        row = self._row(urn.type)
        plain, outputs = wire.reveal(inputs), self.completed(public(inputs), config)
        facts = Facts(self.state, urn.text, outputs.get("region", ""), plain)
        if row.name and row.name.key not in plain:
            plain[row.name.key] = plain[f"{row.name.key}Prefix"] + facts.hex(26)
        own = {row.name.key: plain[row.name.key]} if row.name else {}
        draft = CloudResource(urn.type, "", urn.name, urn.text, inputs, outputs | own)
        refuse_making(self._rows.types, self.state, draft)
        made = row.make(facts)
        return replace(draft, id=made.pop("id"), outputs=draft.outputs | made)

    def change(self, resource: CloudResource, inputs: Properties, config: Properties) -> CloudResource:
        changed = updated(resource, inputs)
        counts = self._row(resource.type).counts
        raised = {counts: resource.get(counts) + 1} if counts else {}
        changed = replace(changed, outputs=self.completed(changed.outputs, config) | raised)
        refuse_making(self._rows.types, self.state, changed)
        return changed

    def delete(self, resource: CloudResource, config: Properties) -> None:
        refuse_deleting(self._rows.types, self.state, resource)

    def find(self, urn: Urn, id_: str, config: Properties) -> CloudResource | None:
        return self.state.owned(urn.type, urn.text, id_)

    def seconds(self, op: Op, resource: CloudResource) -> float:
        row = self._row(resource.type)
        if op in ("create", "update") and row.steady and not resource.get(row.steady):
            return QUICK
        create, update, delete = row.seconds
        return {"create": create, "update": update, "delete": delete, "read": 0.0}[op]

    def unsteady(self, resource: CloudResource) -> str | None:
        return self._row(resource.type).unsteady(self.state, resource)

    def made(self, resource: CloudResource) -> None:
        self._row(resource.type).made(self.state, resource)

    def gone(self, resource: CloudResource) -> None:
        self._row(resource.type).gone(self.state, resource)

    def invoke(self, token: str, args: Properties, config: Properties) -> Properties:
        if token not in self._rows.sources:
            return super().invoke(token, args, config)
        with self.state.lock:
            return args | self._rows.sources[token].answer(Question(self.state, args.get("region", ""), args))

    def _row(self, type_: str) -> ResourceType:
        if type_ not in self._rows.types:
            raise Refused("NotRehearsed", f"the rehearsal does not know {type_}: give it a row", "rehearsal/aws/")
        return self._rows.types[type_]


class Aws(RowPackage):
    """AWS: everything is in a region, and may have tags."""

    def __init__(self, state: CloudState, rows: Rows) -> None:
        super().__init__("aws", state, rows)

    def replaces(self, type_: str, path: str) -> bool:
        return path == "region" or super().replaces(type_, path)

    def completed(self, outputs: Properties, config: Properties) -> Properties:
        return _tagged(outputs | {"region": outputs.get("region") or config["region"]}, config)

    def invoke(self, token: str, args: Properties, config: Properties) -> Properties:
        return super().invoke(token, args | {"region": args.get("region") or config["region"]}, config)


def _tagged(outputs: Properties, config: Properties) -> Properties:
    default: Any = config.get("defaultTags") or {}
    default = json.loads(default) if isinstance(default, str) else default
    own = outputs.get("tags")
    if isinstance(own, list):
        return outputs  # an Auto Scaling group's, which default tags do not reach
    beside = {key: each for key, each in default.get("tags", {}).items() if key not in (wire.reveal(own) or {})}
    return outputs | ({"tagsAll": wire.merged(own, beside)} if own or beside else {})
