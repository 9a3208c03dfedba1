"""The package aws: the rows of aws.py at work."""

import json
from typing import Any

from rehearsal import aws, invokes, refusals, wire
from rehearsal.package import Naming, Op, Package, Resource, public, updated
from rehearsal.refusals import Refused
from rehearsal.world import ACCOUNT, Thing

QUICK = 5.0
"""Seconds of an operation that does not wait for a steady state."""
IN_PLACE = frozenset({"tags", "tagsAll", "skipDestroy", "trackLatest"})
"""What can be changed even where everything else replaces."""


class Aws(Package):
    """AWS, as far as aws.py has rows."""

    name = "aws"

    def check(
        self, resource: Resource, news: wire.Properties, olds: wire.Properties, naming: Naming
    ) -> wire.Properties:
        name = _rule(resource.type).name
        if name is None or name.key in news or f"{name.key}Prefix" in news:
            return news
        kept = olds.get(name.key) if name.key in olds.get(wire.DEFAULTS, []) else None
        return news | {name.key: kept or naming.unique(7, name.longest, name.lower), wire.DEFAULTS: [name.key]}

    def replaces(self, type_: str, path: str) -> bool:
        rule = _rule(type_)
        if rule.replace == aws.EVERYTHING:
            return not wire.under(path, IN_PLACE)
        return path == "region" or wire.under(path, rule.replace)

    def one_at_a_time(self, type_: str, olds: wire.Properties, news: wire.Properties) -> bool:
        name = _rule(type_).name
        if name is None or name.key in news.get(wire.DEFAULTS, []):
            return False
        return news.get(name.key) is not None and news.get(name.key) == olds.get(name.key)

    def make(self, resource: Resource, inputs: wire.Properties, config: wire.Properties) -> Thing:
        rule = _rule(resource.type)
        plain = wire.reveal(inputs)
        region = plain.get("region") or config["region"]
        facts = aws.Facts(self.world, resource.urn, region, plain)
        if rule.name and rule.name.key not in plain:
            plain[rule.name.key] = plain[f"{rule.name.key}Prefix"] + facts.hex(26)
        own = {rule.name.key: plain[rule.name.key]} if rule.name else {}
        draft = Thing(resource.type, "", resource.name, resource.urn, inputs, public(inputs) | own | {"region": region})
        refusals.creating(self.world, draft)
        made = rule.make(facts)
        outputs = _tagged(draft.outputs, config) | made
        outputs.pop("id")
        return Thing(resource.type, made["id"], resource.name, resource.urn, inputs, outputs)

    def change(self, thing: Thing, inputs: wire.Properties, config: wire.Properties) -> Thing:
        changed = updated(thing, inputs)
        counts = _rule(thing.type).counts
        raised = {counts: thing.get(counts) + 1} if counts else {}
        changed = Thing(**vars(changed) | {"outputs": _tagged(changed.outputs, config) | raised})
        refusals.creating(self.world, changed)
        return changed

    def delete(self, thing: Thing, config: wire.Properties) -> None:
        refusals.deleting(self.world, thing)

    def find(self, resource: Resource, id_: str, config: wire.Properties) -> Thing | None:
        return self.world.owned(resource.type, resource.urn, id_)

    def seconds(self, op: Op, thing: Thing) -> float:
        rule = _rule(thing.type)
        if op in ("create", "update") and rule.steady and not thing.get(rule.steady):
            return QUICK
        create, update, delete = rule.seconds
        return {"create": create, "update": update, "delete": delete, "read": 0.0}[op]

    def came(self, thing: Thing) -> None:
        if thing.type == aws.LOAD_BALANCER and thing.get("accessLogs.enabled"):
            self.world.written.add(thing.get("accessLogs.bucket"))
        if url := refusals.repository_url(thing):
            self.world.pushed[url] |= self.world.images
        if thing.type == aws.EKS_CLUSTER:
            self._log_control_plane(thing)

    def went(self, thing: Thing) -> None:
        named = (thing.type, thing.get("region"), thing.get("name"))
        if thing.type == aws.SECRET and thing.get("recoveryWindowInDays", 30):
            self.world.ghosts[named] = "a secret with this name is already scheduled for deletion"
        if thing.get("skipDestroy") and thing.type == aws.LOG_GROUP:
            self.world.ghosts[named] = "the log group was kept when its stack was destroyed"
        if thing.type == aws.LOG_GROUP:
            for cluster in self.world.every(aws.EKS_CLUSTER):
                self._log_control_plane(cluster)
        if thing.type == aws.EKS_CLUSTER:
            for inside in [each for each in self.world if each.cluster == thing.get("endpoint")]:
                self.world.remove(inside)
        self.world.written.discard(thing.id)
        self.world.pushed.pop(refusals.repository_url(thing) or "", None)

    def _log_control_plane(self, cluster: Thing) -> None:
        """A control plane that finds no log group for what it writes makes one, without an end, and leaves it behind
        (pulumi #9296; terraform-aws-eks #920, #2763)."""
        name, region = f"/aws/eks/{cluster.get('name')}/cluster", cluster.get("region")
        there = any(each.get("region") == region for each in self.world.where(aws.LOG_GROUP, "name", name))
        if not cluster.all("enabledClusterLogTypes") or there or (aws.LOG_GROUP, region, name) in self.world.ghosts:
            return
        made = {"name": name, "region": region, "arn": f"arn:aws:logs:{region}:{ACCOUNT}:log-group:{name}"}
        self.world.add(Thing(aws.LOG_GROUP, name, name, "", {"name": name}, made, ready=True))

    def unsteady(self, thing: Thing) -> str | None:
        if thing.type != aws.ECS_SERVICE or not thing.get("waitForSteadyState"):
            return None
        groups = [self.world.find(aws.TARGET_GROUP, each) for each in thing.all("loadBalancers.targetGroupArn")]
        if any(group and group.name in self.world.sick for group in groups):
            return f"{thing.name}: ECS deployment circuit breaker: tasks failed ELB health checks [pulumi-aws #4487]"
        return None

    def invoke(self, token: str, args: wire.Properties, config: wire.Properties) -> wire.Properties:
        return invokes.answer(token, self.world, config["region"], args)


def _rule(type_: str) -> aws.Rule:
    if type_ not in aws.RULES:
        raise Refused("NotRehearsed", f"the rehearsal does not know {type_}: give it a row", "rehearsal/aws.py")
    return aws.RULES[type_]


def _tagged(outputs: wire.Properties, config: wire.Properties) -> wire.Properties:
    default: Any = config.get("defaultTags") or {}
    default = json.loads(default) if isinstance(default, str) else default
    own = outputs.get("tags")
    if isinstance(own, list):
        return outputs  # an Auto Scaling group's, which default tags do not reach
    beside = {key: each for key, each in default.get("tags", {}).items() if key not in (wire.reveal(own) or {})}
    return outputs | ({"tagsAll": wire.merged(own, beside)} if own or beside else {})
