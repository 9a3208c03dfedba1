"""Answers to AWS data sources: one small function each. One that is in no row is refused by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rehearsal import aws, instances, wire
from rehearsal.state import ACCOUNT, CloudResource, CloudState, Refused


@dataclass(frozen=True)
class Question:
    """A data source that a program asks."""

    state: CloudState
    region: str
    args: wire.Properties

    def found(self, type_: str, key: str, code: str) -> CloudResource:
        """The resource that the argument `key` names."""
        handle = self.args.get(key) or ""
        resource = self.state.find(type_, handle)
        if resource is None:
            raise Refused(code, f"no {type_} {handle!r} exists in the rehearsal", "it only has what the stack makes")
        return resource


FEW_ZONES = {"us-west-1": 2}
"""Regions that show an account fewer than three zones."""
Answer = Callable[[Question], wire.Properties]


def _zones(ask: Question) -> wire.Properties:
    count = FEW_ZONES.get(ask.region, 3)
    names = [f"{ask.region}{letter}" for letter in "abc"[:count]]
    ids = [f"{ask.region}-az{number + 1}" for number in range(count)]
    return {"id": ask.region, "names": names, "zoneIds": ids, "groupNames": [ask.region]}


def _caller(_: Question) -> wire.Properties:
    return {
        "id": ACCOUNT,
        "accountId": ACCOUNT,
        "arn": f"arn:aws:iam::{ACCOUNT}:user/rehearsal",
        "userId": "AIDAREHEARSAL",
    }


def _region(ask: Question) -> wire.Properties:
    return {
        "id": ask.region,
        "name": ask.region,
        "endpoint": f"ec2.{ask.region}.amazonaws.com",
        "description": ask.region,
    }


def _partition(_: Question) -> wire.Properties:
    return {"id": "aws", "partition": "aws", "dnsSuffix": "amazonaws.com", "reverseDnsPrefix": "com.amazonaws"}


def _vpc(ask: Question) -> wire.Properties:
    """Somebody else's VPC is taken to be there: its id stands in the stack's config."""
    id_ = str(ask.args.get("id", ""))
    if id_ in ask.state.existing:
        return {"id": id_, "cidrBlock": "10.0.0.0/16", "default": False, "enableDnsHostnames": True}
    vpc = ask.found(aws.VPC, "id", "InvalidVpcID.NotFound")
    return {"id": vpc.id, "cidrBlock": vpc.get("cidrBlock"), "arn": vpc.get("arn"), "default": False}


def _zone(ask: Question) -> wire.Properties:
    """The zone is taken to be there: nothing in a stack makes one."""
    name = str(ask.args.get("name", "")).rstrip(".")
    id_ = str(ask.args.get("zoneId") or f"Z{ask.state.stable(name, 13).upper()}")
    servers = [f"ns-{number}.awsdns-{number}.example" for number in (1, 2, 3, 4)]
    return {
        "id": id_,
        "zoneId": id_,
        "name": name,
        "arn": f"arn:aws:route53:::hostedzone/{id_}",
        "nameServers": servers,
    }


def _cluster(ask: Question) -> wire.Properties:
    cluster = ask.found(aws.EKS_CLUSTER, "name", "ResourceNotFoundException")
    return cluster.plain | {"id": cluster.id}


def _cluster_auth(ask: Question) -> wire.Properties:
    cluster = ask.found(aws.EKS_CLUSTER, "name", "ResourceNotFoundException")
    return {"id": cluster.id, "name": cluster.id, "token": "k8s-aws-v1.rehearsal"}


def _addon_version(ask: Question) -> wire.Properties:
    name, kubernetes = ask.args["addonName"], ask.args["kubernetesVersion"]
    return {"id": name, "addonName": name, "kubernetesVersion": kubernetes, "version": "v1.0.0-eksbuild.1"}


def _repository(ask: Question) -> wire.Properties:
    """A repository that the stack did not make is taken to be there: its name stands in the stack's config."""
    name = str(ask.args["name"])
    facts = aws.Facts(ask.state, name, ask.region, {"name": name})
    made = aws.RULES[aws.ECR_REPOSITORY].make(facts) | {"name": name}
    ask.state.existing.add(made["repositoryUrl"])
    return made


def _parameter(ask: Question) -> wire.Properties:
    """Of AWS's own public parameters those that name an image."""
    name = str(ask.args["name"])
    if name not in instances.IMAGES:
        raise Refused("ParameterNotFound", f"there is no parameter {name}", "SSM API")
    value = instances.image(ask.state, ask.region, instances.IMAGES[name])
    arn = f"arn:aws:ssm:{ask.region}::parameter{name}"
    return {"id": name, "arn": arn, "type": "String", "value": value, "insecureValue": value, "version": 1}


ANSWERS: Mapping[str, Answer] = {
    "aws:index/getAvailabilityZones:getAvailabilityZones": _zones,
    "aws:index/getCallerIdentity:getCallerIdentity": _caller,
    "aws:index/getRegion:getRegion": _region,
    "aws:index/getPartition:getPartition": _partition,
    "aws:ec2/getVpc:getVpc": _vpc,
    "aws:route53/getZone:getZone": _zone,
    "aws:eks/getCluster:getCluster": _cluster,
    "aws:eks/getClusterAuth:getClusterAuth": _cluster_auth,
    "aws:eks/getAddonVersion:getAddonVersion": _addon_version,
    "aws:ecr/getRepository:getRepository": _repository,
    "aws:ssm/getParameter:getParameter": _parameter,
}


def answer(token: str, state: CloudState, region: str, args: wire.Properties) -> wire.Properties:
    """What the data source `token` returns; raises `Refused` for one that the rehearsal does not have."""
    if token not in ANSWERS:
        raise Refused("NotRehearsed", f"the rehearsal has no answer to {token}", "rehearsal/invokes.py")
    with state.lock:
        region = args.get("region") or region
        return args | {"region": region} | ANSWERS[token](Question(state, region, args))
