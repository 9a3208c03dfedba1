"""Every likely mistake gets its whole message: key, value, wish and fix."""

from collections.abc import Mapping
from shlex import quote
from typing import Any

import pytest

from components import orchestrator
from tests.program import EXISTING, config_for
from tests.unit.test_settings import BASE, ONE, REGISTRIES, api, complaint

EDIT = "edit"
"""What is left for a map or a list."""


def only(key: str, is_: str, want: str, fix: str | None = None) -> str:
    """The whole message about one problem."""
    path = "--path " if "." in key or "[" in key else ""
    if "a map" in want or fix == EDIT:
        fix = f"{EDIT} {key} in config/Pulumi.<stack>.yaml"
    first = "one thing needs a change in the stack's configuration; nothing was made.\n"
    return f"{first}  {key} {is_}; want {want}\n      {fix or f'pulumi config set {path}{quote(key)} <value>'}"


def contradiction(key: str, text: str) -> str:
    """The whole message about keys that do not go together."""
    return only(key, "", text, EDIT).replace(f"{key} ; want ", f"{key}: ", 1)


PORT = "a port from 1024 to 65535: the process is not root, so it may not listen on a lower one"
CPU = "vCPU as a number from 0.05 to 16, such as 0.25"
NAME = "lower-case letters, digits and single dashes, a letter first"
VARIABLE = "the name of an environment variable: letters, digits and _, no digit first"
FILE = " in config/Pulumi.<stack>.yaml"
MEMORY = "MiB as a whole number from 32 to 122880, such as 512"
REPLICAS = "a whole number from 1 to 1000, or {min, max, cpu}; a service that shall not run is taken out"
IMAGE = (
    "registry/repository@sha256:... with 64 hexadecimal digits and no tag, such as docker.io/library/nginx@sha256:...,"
    " as `docker buildx imagetools inspect` prints it"
)
ORCHESTRATORS = f"one of {', '.join(orchestrator.names())}"
NAMED = (
    "the public address ranges that may reach the cluster's API (your office, your VPN, your CI runners), since"
    " `protect` is on (preset production). `curl https://checkip.amazonaws.com` says your own; one address ends in /32"
)
MISTAKES = {
    "misspelt key": (
        {"regsitry": "ecr"},
        only(
            "switchyard:regsitry",
            "is unknown",
            "a key that exists; did you mean registry?",
            "pulumi config rm switchyard:regsitry",
        ),
    ),
    "underscore for dash": (
        {"log_days": 7},
        only(
            "switchyard:log_days",
            "is unknown",
            "a key that exists; did you mean log-days?",
            "rename switchyard:log_days to log-days in config/Pulumi.<stack>.yaml",
        ),
    ),
    "misspelt key in a block": (
        {"ecr": {"kep": 3}},
        only(
            "switchyard:ecr.kep",
            "is unknown",
            "a key that exists; did you mean keep?",
            "rename switchyard:ecr.kep to keep in config/Pulumi.<stack>.yaml",
        ),
    ),
    "unknown registry": ({"registry": "quay"}, only("switchyard:registry", "is 'quay'", REGISTRIES)),
    "near registry": (
        {"registry": "ecr_public"},
        only(
            "switchyard:registry",
            "is 'ecr_public'",
            f"{REGISTRIES}; did you mean ecr-public?",
            "pulumi config set switchyard:registry ecr-public",
        ),
    ),
    "unknown orchestrator": (
        {"orchestrator": "ecs"},
        only("switchyard:orchestrator", "is 'ecs'", f"{ORCHESTRATORS}; did you mean ecs-ec2 or ecs-fargate?"),
    ),
    "unknown preset": (
        {"preset": "prod"},
        only(
            "switchyard:preset",
            "is 'prod'",
            "one of trial, standard, production; did you mean production?",
            "pulumi config set switchyard:preset production",
        ),
    ),
    "unknown network": (
        {"network": "nat"},
        only(
            "switchyard:network",
            "is 'nat'",
            "one of public, nat-single, nat-per-az, endpoints; did you mean nat-single or nat-per-az?",
        ),
    ),
    "text for a number": (api(port="8080"), only(f"{ONE}.port", "is '8080'", PORT)),
    "privileged port": (api(port=80), only(f"{ONE}.port", "is 80", PORT)),
    "text for cpu": (
        api(cpu="1 vCPU"),
        only(f"{ONE}.cpu", "is '1 vCPU'", CPU),
    ),
    "text for a flag": ({"protect": "yes"}, only("switchyard:protect", "is 'yes'", "true or false")),
    "text for a list": (api(command="run"), only(f"{ONE}.command", "is 'run'", "a list, such as [npm, start]", EDIT)),
    "number in a list": (
        api(command=["a", 1]),
        only(
            f"{ONE}.command[1]",
            "is 1",
            "text (put quotes around it)",
            f"pulumi config set --type string --path '{ONE}.command[1]' <value>",
        ),
    ),
    "text for a block": (
        {"ecs-fargate": "spot"},
        only("switchyard:ecs-fargate", "is 'spot'", "a map, such as {key: value}"),
    ),
    "boolean in env": (
        api(env={"A": True}),
        only(
            f"{ONE}.env.A",
            "is true",
            "text (put quotes around it)",
            f"pulumi config set --type string --path {ONE}.env.A <value>",
        ),
    ),
    "bad name in env": (
        api(env={"A-B": "x"}),
        only(
            f"{ONE}.env.A-B",
            "is 'A-B'",
            f"{VARIABLE}; did you mean A_B?",
            f"rename {ONE}.env.A-B to A_B" + FILE,
        ),
    ),
    "tag for a digest": (
        api(digest="latest"),
        only(f"{ONE}.digest", "is 'latest'", "sha256: and 64 hexadecimal digits, as `docker push` prints it"),
    ),
    "short digest": (
        api(digest="sha256:abc"),
        only(f"{ONE}.digest", "is 'sha256:abc'", "sha256: and 64 hexadecimal digits, as `docker push` prints it"),
    ),
    "max below min": (
        api(replicas={"min": 3, "max": 2}),
        contradiction(f"{ONE}.replicas", "max 2 is below min 3"),
    ),
    "no min": (api(replicas={"max": 3}), only(f"{ONE}.replicas.min", "is not set", "a value")),
    "reserved env": (
        api(env={"PORT": "1"}),
        contradiction(ONE, "PORT is set by Switchyard itself: take it out of env and secrets"),
    ),
    "other word for an architecture": (
        api(architecture="amd64"),
        only(f"{ONE}.architecture", "is 'amd64'", "x86_64, which is also called amd64, or arm64"),
    ),
    "upper-case service": (
        {"services": {"Api": {}}},
        only(
            "switchyard:services.Api",
            "is 'Api'",
            f"{NAME}; did you mean api?",
            "rename switchyard:services.Api to api" + FILE,
        ),
    ),
    "long service": (
        {"services": {"a" * 21: {}}},
        only(f"switchyard:services.{'a' * 21}", f"is '{'a' * 21}'", "text no longer than 20", EDIT),
    ),
    "path without slash": (
        api(path="api"),
        only(f"{ONE}.path", "is 'api'", "/ or a path such as /orders/v2: at most four segments, no slash at its end"),
    ),
    "health without slash": (api(health="up"), only(f"{ONE}.health", "is 'up'", "a path, such as /healthz")),
    "one subnet where two are wanted": (
        {**EXISTING, "vpc": {"id": "vpc-1", "public-subnets": ["subnet-1"]}},
        only("switchyard:vpc.public-subnets", "is a list", "at least 2 entries", EDIT),
    ),
    "a name of no letters": (
        {**config_for("oci", "eks"), "oci": {"host": "a.example", "username": ""}},
        only("switchyard:oci.username", "is ''", "at least 1 character"),
    ),
    "too few ranges": (
        {**config_for("ecr", "eks"), "eks": {"access": []}},
        only("switchyard:eks.access", "is a list", "at least 1 entry", EDIT),
    ),
    "misspelt key whose default would hold": (
        {"zonse": 3},
        only(
            "switchyard:zonse",
            "is unknown",
            "a key that exists; did you mean zones?",
            "rename switchyard:zonse to zones in config/Pulumi.<stack>.yaml",
        ),
    ),
    "key that is like none": (
        {"colour": "red"},
        only("switchyard:colour", "is unknown", "a key that exists", "pulumi config rm switchyard:colour"),
    ),
    "too little memory": (api(memory=8), only(f"{ONE}.memory", "is 8", MEMORY)),
    "replicas as text": (api(replicas="2"), only(f"{ONE}.replicas", "is '2'", REPLICAS, EDIT)),
    "no replicas at the least": (api(replicas={"min": 0, "max": 1}), only(f"{ONE}.replicas.min", "is 0", "at least 1")),
    "an image": (
        api(image="nginx:latest"),
        only(
            f"{ONE}.image",
            "is 'nginx:latest'",
            IMAGE,
        ),
    ),
    "service named as a class": (
        {"services": {"My_API": {}}},
        only(
            "switchyard:services.My_API",
            "is 'My_API'",
            f"{NAME}; did you mean my-api?",
            "rename switchyard:services.My_API to my-api in config/Pulumi.<stack>.yaml",
        ),
    ),
    "host in upper case": (
        api(host="API.example.com"),
        only(
            f"{ONE}.host",
            "is 'API.example.com'",
            "a host name in lower case, such as api.example.com; did you mean api.example.com?",
            f"pulumi config set --path {ONE}.host api.example.com",
        ),
    ),
    "engine without a host that can be read": (
        {**config_for("oci", "swarm"), "swarm": {"host": "tcp://[::1"}},
        only(
            "switchyard:swarm.host",
            "is 'tcp://[::1'",
            "an address whose host and port can be read, such as tcp://10.0.0.5:2376 or tcp://[::1]:2376",
        ),
    ),
    "engine with a port that is none": (
        {**config_for("oci", "swarm"), "swarm": {"host": "tcp://10.0.0.5:99999"}},
        only(
            "switchyard:swarm.host",
            "is 'tcp://10.0.0.5:99999'",
            "an address whose host and port can be read, such as tcp://10.0.0.5:2376 or tcp://[::1]:2376",
        ),
    ),
    "no service": (
        {"services": None},
        only("switchyard:services", "is not set", "a value, such as {api: {port: 8080}}", EDIT),
    ),
    "same route twice": (
        {"services": {"api": {}, "web": {}}},
        only("switchyard:services.web.path", "is '/'", "a route of its own: api has the same host and path"),
    ),
    "host outside the zone": (
        {**api(host="api.example.org"), "domain": {"name": "example.com", "zone": "example.com"}},
        only(
            f"{ONE}.host",
            "is 'api.example.org'",
            "a name in the zone example.com, where its DNS record and certificate proof go",
        ),
    ),
    "host that only ends like the zone": (
        {"domain": {"name": "notexample.com", "zone": "example.com"}},
        only(
            "switchyard:domain.name",
            "is 'notexample.com'",
            "a name in the zone example.com, where its DNS record and certificate proof go",
        ),
    ),
    "traffic without the orchestrator": (
        {"traffic": {"eks": 100}},
        only("switchyard:traffic", "is a map with eks", "a weight for ecs-fargate too, the stack's orchestrator", EDIT),
    ),
    "traffic all zero": (
        {"traffic": {"ecs-fargate": 0, "eks": 0}},
        only(
            "switchyard:traffic",
            "is a map with ecs-fargate, eks",
            "at least one weight above 0, or nobody is served",
            EDIT,
        ),
    ),
    "traffic above the limit": (
        {"traffic": {"ecs-fargate": 1000}},
        only("switchyard:traffic.ecs-fargate", "is 1000", "a weight as a whole number from 0 to 999, such as 90"),
    ),
    "no region": (
        {"aws:region": None},
        only("aws:region", "is not set", "the AWS region to run in, such as us-east-1 or ap-northeast-1"),
    ),
    "autoscaling on swarm": (
        {**config_for("oci", "swarm"), **api(replicas={"min": 1, "max": 3})},
        only(
            f"{ONE}.replicas",
            "is 1 to 3",
            "what swarm can do: Swarm has no autoscaler; give replicas as one number",
            EDIT,
        ),
    ),
    "oci with network endpoints": (
        {**config_for("oci", "ecs-fargate"), "network": "endpoints"},
        only(
            "switchyard:network",
            "is 'endpoints'",
            "a way out to oci, which has no VPC endpoint: nat-single, nat-per-az or public",
        ),
    ),
    "oci without its host": (
        {**config_for("oci", "ecs-fargate"), "oci": None},
        only("switchyard:oci.host", "is not set", "a value, such as registry.example.com"),
    ),
    "production on eks, open to all": (
        {**config_for("ecr", "eks", "production"), "eks": None},
        only(
            "switchyard:eks.access[0]",
            "is '0.0.0.0/0'",
            NAMED,
        ),
    ),
    "production on eks, open to all among others": (
        {**config_for("ecr", "eks", "production"), "eks": {"access": ["203.0.113.0/24", "0.0.0.0/0"]}},
        only("switchyard:eks.access[1]", "is '0.0.0.0/0'", NAMED),
    ),
    "IPv6 for the cluster's API": (
        {**config_for("ecr", "eks", "production"), "eks": {"access": ["203.0.113.0/24", "::/0"]}},
        only(
            "switchyard:eks.access[1]",
            "is '::/0'",
            "IPv4 addresses: EKS takes others only for clusters whose pods have IPv6 addresses",
        ),
    ),
    "a repository for no service": (
        {"ecr": {"repositories": {"apo": "acme/api"}}},
        only("switchyard:ecr.repositories.apo", "is 'acme/api'", "the name of a service: api"),
    ),
    "password in plain text": (
        {**config_for("oci", "eks"), "oci": {"host": "a.example", "username": "u", "password": "hunter2"}},
        only(
            "switchyard:oci.password",
            "is in plain text",
            "an encrypted value",
            "pulumi config set --secret --path switchyard:oci.password <value>",
        ),
    ),
    "one registry twice": (
        {"pull-from": "ecr"},
        only(
            "switchyard:pull-from",
            "is 'ecr'",
            "another registry than `registry`, or nothing once its images are there",
            "pulumi config rm switchyard:pull-from",
        ),
    ),
    "images from a registry that cannot be pulled from": (
        {**config_for("oci", "kubernetes"), "pull-from": "ecr"},
        only(
            "switchyard:pull-from",
            "is 'ecr'",
            "one whose images kubernetes can pull: its nodes have no AWS role, and the login that ECR gives in place"
            " of one ends after 12 hours",
        ),
    ),
    "images from no registry": (
        {"pull-from": "quay"},
        only("switchyard:pull-from", "is 'quay'", REGISTRIES),
    ),
    "access logs of someone else's load balancer": (
        {**EXISTING, "access-logs": True},
        only(
            "switchyard:access-logs",
            "is true",
            "nothing beside `load-balancer`: what exists already has its own",
            "pulumi config rm switchyard:access-logs",
        ),
    ),
    "zones of someone else's network": (
        {**EXISTING, "zones": 3},
        only(
            "switchyard:zones",
            "is 3",
            "nothing beside `vpc`: what exists already has its own",
            "pulumi config rm switchyard:zones",
        ),
    ),
    "production without a domain": (
        {"preset": "production"},
        only(
            "switchyard:domain",
            "is not set",
            "{name, zone} of a public zone in Route 53 for HTTPS, since `protect` is on (preset production); or"
            " `plain-http` true, if callers shall have plain HTTP",
            EDIT,
        ),
    ),
    "plain HTTP beside a domain": (
        {"plain-http": True, "domain": {"name": "api.example.com", "zone": "example.com"}},
        only(
            "switchyard:plain-http",
            "is true",
            "nothing beside `domain`: with it callers have HTTPS",
            "pulumi config rm switchyard:plain-http",
        ),
    ),
    "a domain off AWS": (
        {**config_for("oci", "swarm"), "domain": {"name": "api.example.com", "zone": "example.com"}},
        only(
            "switchyard:domain",
            "is a map with name, zone",
            "an orchestrator on AWS, not swarm",
            "pulumi config rm switchyard:domain",
        ),
    ),
    "load balancer without its vpc": (
        {"load-balancer": EXISTING["load-balancer"]},
        only("switchyard:vpc", "is not set", "the VPC of the existing load balancer: {id, public-subnets}", EDIT),
    ),
    "secret in plain text": (
        api(secrets={"PASSWORD": "hunter2"}),
        only(
            f"{ONE}.secrets.PASSWORD",
            "is in plain text",
            "an encrypted value",
            f"pulumi config set --secret --path {ONE}.secrets.PASSWORD <value>",
        ),
    ),
}


@pytest.mark.parametrize(("change", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told(change: Mapping[str, Any], message: str) -> None:
    assert complaint({**BASE, **change}) == message
