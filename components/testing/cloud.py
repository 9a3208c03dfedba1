"""A pretend cloud: what AWS, EKS and Kubernetes would compute for a resource, and answers to the look-ups we make."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pulumi

ACCOUNT = "123456789012"
REGION = "us-east-1"
ZONES = [f"{REGION}{letter}" for letter in "abcdef"]

State = dict[str, Any]
Compute = Callable[[str, State], State]
Answer = Callable[[State], State]


class Cloud(pulumi.runtime.Mocks):
    """Computes what a cloud would. `resources` and `answers` add to, or replace, what it knows."""

    def __init__(
        self, resources: Mapping[str, Compute] | None = None, answers: Mapping[str, Answer] | None = None
    ) -> None:
        self._resources = {**RESOURCES, **(resources or {})}
        self._answers = {**ANSWERS, **(answers or {})}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, State]:
        identity = f"{args.name}-id"
        computed: State = {}
        if args.typ.startswith("aws:"):
            computed = _aws(args.typ, args.name, args.inputs)
        elif args.typ.startswith("kubernetes:"):
            computed = _kubernetes(args.name, args.inputs)
        if compute := self._resources.get(args.typ):
            computed |= compute(args.name, args.inputs)
        return identity, {**args.inputs, **computed}

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        if args.token not in self._answers:
            raise NotImplementedError(f"the pretend cloud has no answer for {args.token}")
        return self._answers[args.token](args.args)


def arn(service: str, resource: str) -> str:
    """An ARN in the pretend account."""
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def _aws(type_: str, name: str, inputs: State) -> State:
    """Most resources have an ARN and, unless the program gives one, a name with a random end."""
    own_name = inputs.get("name", f"{name}-0a1b2c3")
    return {"arn": arn(type_.split(":")[1].split("/")[0], f"{type_.rpartition(':')[2].lower()}/{own_name}")} | (
        {} if "name" in inputs else {"name": own_name}
    )


def _kubernetes(name: str, inputs: State) -> State:
    metadata = inputs.get("metadata")
    return {"metadata": {"name": f"{name}-0a1b2c3", **metadata}} if isinstance(metadata, dict) else {}


def _certificate(_name: str, inputs: State) -> State:
    names = [inputs["domainName"], *inputs.get("subjectAlternativeNames", [])]
    return {
        "domainValidationOptions": [
            {
                "domainName": each,
                "resourceRecordName": f"_proof.{each}.",
                "resourceRecordType": "CNAME",
                "resourceRecordValue": f"_{len(each)}.acm-validations.aws.",
            }
            for each in names
        ]
    }


def _cluster(_name: str, inputs: State) -> State:
    """The packaged component of pulumi-eks: its children stay out of sight here."""
    kubeconfig = {"clusters": [{"name": inputs["name"], "cluster": {"server": "https://api.eks.example"}}]}
    return {
        "kubeconfig": kubeconfig,
        "kubeconfigJson": json.dumps(kubeconfig),
        "clusterSecurityGroupId": "sg-cluster",
    }


RESOURCES: dict[str, Compute] = {
    "aws:acm/certificate:Certificate": _certificate,
    "aws:cloudwatch/logGroup:LogGroup": lambda name, inputs: {
        "arn": arn("logs", f"log-group:{inputs.get('name', name)}")
    },
    "aws:ecr/repository:Repository": lambda _, inputs: {
        "arn": arn("ecr", f"repository/{inputs['name']}"),
        "repositoryUrl": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{inputs['name']}",
    },
    "aws:ecrpublic/repository:Repository": lambda _, inputs: {
        "repositoryUri": f"public.ecr.aws/a1b2c3d4/{inputs['repositoryName']}"
    },
    "aws:ecs/cluster:Cluster": lambda name, _: {"arn": arn("ecs", f"cluster/{name}-0a1b2c3")},
    "aws:ec2/launchTemplate:LaunchTemplate": lambda *_: {"latestVersion": 1},
    "aws:ec2/eip:Eip": lambda name, _: {"publicIp": f"public-address-of-{name}"},
    "aws:ec2/networkInterface:NetworkInterface": lambda name, _: {"privateIp": f"address-of-{name}"},
    "aws:lb/loadBalancer:LoadBalancer": lambda name, _: {
        "dnsName": f"{name}-1234567890.{REGION}.elb.amazonaws.com",
        "zoneId": "Z35SXDOTRQ7X7K",
    },
    "aws:route53/record:Record": lambda _, inputs: {"fqdn": str(inputs["name"]).rstrip(".")},
    "aws:secretsmanager/secretVersion:SecretVersion": lambda name, _: {"versionId": f"version-of-{name}"},
    "eks:index:Cluster": _cluster,
    "pulumi-python:dynamic/swarm:Cluster": lambda *_: {"swarm": "id-of-the-swarm"},
    "kubernetes:core/v1:Service": lambda name, inputs: {
        "metadata": inputs["metadata"],
        "status": {"loadBalancer": {"ingress": [{"hostname": f"{name}.balancer.example"}]}},
    },
}

ANSWERS: dict[str, Answer] = {
    "pulumi:pulumi:readStackOutputs": lambda args: {"name": args["name"], "outputs": {}},  # never up before
    "aws:index/getAvailabilityZones:getAvailabilityZones": lambda _: {"names": ZONES},
    "aws:route53/getZone:getZone": lambda args: {"zoneId": f"zone-of-{args['name']}"},
    "aws:ssm/getParameter:getParameter": lambda args: {"insecureValue": f"value-of-{args['name']}"},
    "aws:ec2/getVpc:getVpc": lambda args: {"id": args["id"], "cidrBlock": "172.16.0.0/16"},
    "eks:index:Cluster/getKubeconfig": lambda args: {"result": f"kubeconfig of {args['profileName']}"},
    "aws:index/getCallerIdentity:getCallerIdentity": lambda _: {
        "accountId": ACCOUNT,
        "arn": f"arn:aws:iam::{ACCOUNT}:user/ada",
    },
    "aws:iam/getOpenIdConnectProvider:getOpenIdConnectProvider": lambda args: {
        "arn": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{args['url'].removeprefix('https://')}"
    },
    "aws:ec2/getSecurityGroup:getSecurityGroup": lambda args: {"id": args["id"], "vpcId": args["vpcId"]},
    "aws:kms/getKey:getKey": lambda args: {
        "arn": args["keyId"],
        "keyState": "Enabled",
        "keyUsage": "ENCRYPT_DECRYPT",
        "keySpec": "SYMMETRIC_DEFAULT",
    },
    "aws:ecr/getRepository:getRepository": lambda args: {
        "arn": arn("ecr", f"repository/{args['name']}"),
        "repositoryUrl": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{args['name']}",
    },
}
