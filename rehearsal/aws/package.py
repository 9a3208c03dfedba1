"""The package aws: the rows of the areas at work."""

import json
from dataclasses import replace
from typing import Any

from rehearsal import wire
from rehearsal.aws import account, clusters, containers, instances, loadbalancing, network, registries, storage
from rehearsal.aws.data_source import DataSource, Question
from rehearsal.aws.everywhere import refuse_deleting, refuse_making
from rehearsal.aws.making import Facts
from rehearsal.aws.resource_type import EVERYTHING, ResourceType
from rehearsal.package import Naming, Op, Package, Urn, public, updated
from rehearsal.state import CloudResource, CloudState, Refused
from rehearsal.wire import Properties

AREAS = (account, clusters, containers, instances, loadbalancing, network, registries, storage)
QUICK = 5.0
"""Seconds of an operation that does not wait for a steady state."""
IN_PLACE = ("tags", "tagsAll", "skipDestroy", "trackLatest")
"""What can be changed even where everything else replaces."""


class Aws(Package):
    """AWS, as far as there are rows. They stand at the top level of the areas' modules."""

    name = "aws"

    def __init__(self, state: CloudState) -> None:
        super().__init__(state)
        every = [each for area in AREAS for each in vars(area).values()]
        self._types = {each.token: each for each in every if isinstance(each, ResourceType)}
        self._sources = {each.token: each for each in every if isinstance(each, DataSource)}

    def check(self, urn: Urn, news: Properties, olds: Properties, naming: Naming) -> Properties:
        name = self._row(urn.type).name
        if name is None or name.key in news or f"{name.key}Prefix" in news:
            return news
        kept = olds.get(name.key) if name.key in olds.get(wire.DEFAULTS, []) else None
        return news | {name.key: kept or naming.unique(7, name.longest, name.lower), wire.DEFAULTS: [name.key]}

    def replaces(self, type_: str, path: str) -> bool:
        replacing = self._row(type_).replace
        if replacing == EVERYTHING:
            return not wire.under(path, IN_PLACE)
        return path == "region" or wire.under(path, replacing.split())

    def one_at_a_time(self, type_: str, olds: Properties, news: Properties) -> bool:
        name = self._row(type_).name
        if name is None or name.key in news.get(wire.DEFAULTS, []):
            return False
        return news.get(name.key) is not None and news.get(name.key) == olds.get(name.key)

    def make(self, urn: Urn, inputs: Properties, config: Properties) -> CloudResource:
        row = self._row(urn.type)
        plain = wire.reveal(inputs)
        region = plain.get("region") or config["region"]
        facts = Facts(self.state, urn.text, region, plain)
        if row.name and row.name.key not in plain:
            plain[row.name.key] = plain[f"{row.name.key}Prefix"] + facts.hex(26)
        own = {row.name.key: plain[row.name.key]} if row.name else {}
        outputs = public(inputs) | own | {"region": region}
        draft = CloudResource(urn.type, "", urn.name, urn.text, inputs, outputs)
        refuse_making(self._types, self.state, draft)
        made = row.make(facts)
        return replace(draft, id=made.pop("id"), outputs=_tagged(outputs, config) | made)

    def change(self, resource: CloudResource, inputs: Properties, config: Properties) -> CloudResource:
        changed = updated(resource, inputs)
        counts = self._row(resource.type).counts
        raised = {counts: resource.get(counts) + 1} if counts else {}
        changed = replace(changed, outputs=_tagged(changed.outputs, config) | raised)
        refuse_making(self._types, self.state, changed)
        return changed

    def delete(self, resource: CloudResource, config: Properties) -> None:
        refuse_deleting(self._types, self.state, resource)

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
        if token not in self._sources:
            return super().invoke(token, args, config)
        region = args.get("region") or config["region"]
        with self.state.lock:
            return args | {"region": region} | self._sources[token].answer(Question(self.state, region, args))

    def _row(self, type_: str) -> ResourceType:
        if type_ not in self._types:
            raise Refused("NotRehearsed", f"the rehearsal does not know {type_}: give it a row", "rehearsal/aws/")
        return self._types[type_]


def _tagged(outputs: Properties, config: Properties) -> Properties:
    default: Any = config.get("defaultTags") or {}
    default = json.loads(default) if isinstance(default, str) else default
    own = outputs.get("tags")
    if isinstance(own, list):
        return outputs  # an Auto Scaling group's, which default tags do not reach
    beside = {key: each for key, each in default.get("tags", {}).items() if key not in (wire.reveal(own) or {})}
    return outputs | ({"tagsAll": wire.merged(own, beside)} if own or beside else {})
