"""The package aws: the rows of aws.py at work."""

import json
from typing import Any

from rehearsal import aws, invokes, refusals, wire
from rehearsal.package import Naming, Op, Package, Urn, public, updated
from rehearsal.state import ACCOUNT, CloudResource, Refused

QUICK = 5.0
"""Seconds of an operation that does not wait for a steady state."""
IN_PLACE = frozenset({"tags", "tagsAll", "skipDestroy", "trackLatest"})
"""What can be changed even where everything else replaces."""


class Aws(Package):
    """AWS, as far as aws.py has rows."""

    name = "aws"

    def check(self, urn: Urn, news: wire.Properties, olds: wire.Properties, naming: Naming) -> wire.Properties:
        name = _rule(urn.type).name
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

    def make(self, urn: Urn, inputs: wire.Properties, config: wire.Properties) -> CloudResource:
        rule = _rule(urn.type)
        plain = wire.reveal(inputs)
        region = plain.get("region") or config["region"]
        facts = aws.Facts(self.state, urn.text, region, plain)
        if rule.name and rule.name.key not in plain:
            plain[rule.name.key] = plain[f"{rule.name.key}Prefix"] + facts.hex(26)
        own = {rule.name.key: plain[rule.name.key]} if rule.name else {}
        draft = CloudResource(urn.type, "", urn.name, urn.text, inputs, public(inputs) | own | {"region": region})
        refusals.creating(self.state, draft)
        made = rule.make(facts)
        outputs = _tagged(draft.outputs, config) | made
        outputs.pop("id")
        return CloudResource(urn.type, made["id"], urn.name, urn.text, inputs, outputs)

    def change(self, resource: CloudResource, inputs: wire.Properties, config: wire.Properties) -> CloudResource:
        changed = updated(resource, inputs)
        counts = _rule(resource.type).counts
        raised = {counts: resource.get(counts) + 1} if counts else {}
        changed = CloudResource(**vars(changed) | {"outputs": _tagged(changed.outputs, config) | raised})
        refusals.creating(self.state, changed)
        return changed

    def delete(self, resource: CloudResource, config: wire.Properties) -> None:
        refusals.deleting(self.state, resource)

    def find(self, urn: Urn, id_: str, config: wire.Properties) -> CloudResource | None:
        return self.state.owned(urn.type, urn.text, id_)

    def seconds(self, op: Op, resource: CloudResource) -> float:
        rule = _rule(resource.type)
        if op in ("create", "update") and rule.steady and not resource.get(rule.steady):
            return QUICK
        create, update, delete = rule.seconds
        return {"create": create, "update": update, "delete": delete, "read": 0.0}[op]

    def came(self, resource: CloudResource) -> None:
        if resource.type == aws.LOAD_BALANCER and resource.get("accessLogs.enabled"):
            self.state.written.add(resource.get("accessLogs.bucket"))
        if url := refusals.repository_url(resource):
            self.state.pushed[url] |= self.state.images
        if resource.type == aws.EKS_CLUSTER:
            self._log_control_plane(resource)

    def went(self, resource: CloudResource) -> None:
        named = (resource.type, resource.get("region"), resource.get("name"))
        if resource.type == aws.SECRET and resource.get("recoveryWindowInDays", 30):
            self.state.reserved_names[named] = "a secret with this name is already scheduled for deletion"
        if resource.get("skipDestroy") and resource.type == aws.LOG_GROUP:
            self.state.reserved_names[named] = "the log group was kept when its stack was destroyed"
        if resource.type == aws.LOG_GROUP:
            for cluster in self.state.every(aws.EKS_CLUSTER):
                self._log_control_plane(cluster)
        if resource.type == aws.EKS_CLUSTER:
            for inside in [each for each in self.state if each.cluster == resource.get("endpoint")]:
                self.state.remove(inside)
        self.state.written.discard(resource.id)
        self.state.pushed.pop(refusals.repository_url(resource) or "", None)

    def _log_control_plane(self, cluster: CloudResource) -> None:
        """A control plane that finds no log group for what it writes makes one, without an end, and leaves it behind
        (pulumi #9296; terraform-aws-eks #920, #2763)."""
        name, region = f"/aws/eks/{cluster.get('name')}/cluster", cluster.get("region")
        there = any(each.get("region") == region for each in self.state.where(aws.LOG_GROUP, "name", name))
        if (
            not cluster.all("enabledClusterLogTypes")
            or there
            or (aws.LOG_GROUP, region, name) in self.state.reserved_names
        ):
            return
        made = {"name": name, "region": region, "arn": f"arn:aws:logs:{region}:{ACCOUNT}:log-group:{name}"}
        self.state.add(CloudResource(aws.LOG_GROUP, name, name, "", {"name": name}, made, ready=True))

    def unsteady(self, resource: CloudResource) -> str | None:
        if resource.type != aws.ECS_SERVICE or not resource.get("waitForSteadyState"):
            return None
        groups = [self.state.find(aws.TARGET_GROUP, each) for each in resource.all("loadBalancers.targetGroupArn")]
        if any(group and group.name in self.state.unhealthy_groups for group in groups):
            return f"{resource.name}: ECS deployment circuit breaker: tasks failed ELB health checks [pulumi-aws #4487]"
        return None

    def invoke(self, token: str, args: wire.Properties, config: wire.Properties) -> wire.Properties:
        return invokes.answer(token, self.state, config["region"], args)


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
