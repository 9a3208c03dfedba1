"""EC2 instances, what they are started from, and their groups."""

from policy.control import PRIVATE, Control, Graph, Resource

INSTANCE = ("aws:ec2/instance:Instance",)
TEMPLATE = ("aws:ec2/launchTemplate:LaunchTemplate",)
FLEET = ("aws:autoscaling/group:Group",)
INTERFACE = "aws:ec2/networkInterface:NetworkInterface"
ADDRESS = "aws:ec2/eip:Eip"
ATTACHMENT = "aws:autoscaling/attachment:Attachment"


def _is_private(instance: Resource, graph: Graph) -> bool:
    """Neither it has an address that the internet reaches, nor its network interface."""
    interfaces = graph.used(instance, INTERFACE)
    return not instance.on("associatePublicIpAddress") and not any(graph.users(each, ADDRESS) for each in interfaces)


ROWS = (
    Control(
        "EC2.3",
        INSTANCE,
        "Its disk is encrypted",
        lambda it, _: it.on("rootBlockDevice.encrypted"),
        {"rootBlockDevice": {"volumeSize": 30}},
    ),
    Control(
        "EC2.8",
        INSTANCE,
        "Its metadata are read with a token alone (IMDSv2)",
        lambda it, _: it.get("metadataOptions.httpTokens") == "required",
        {"metadataOptions": {"httpTokens": "optional"}},
    ),
    Control(
        "EC2.9",
        INSTANCE,
        "It has no public address",
        _is_private,
        {"associatePublicIpAddress": True},
        PRIVATE,
        key="network",
        wired=True,
    ),
    Control(
        "EC2.17",
        INSTANCE,
        "It has one network interface",
        lambda it, _: it.count("networkInterfaces") <= 1,
        {"networkInterfaces": [{"deviceIndex": 0}, {"deviceIndex": 1}]},
    ),
    Control(
        "EC2.25",
        TEMPLATE,
        "It gives no public address",
        lambda it, _: not it.on("networkInterfaces.associatePublicIpAddress"),
        {"networkInterfaces": [{"associatePublicIpAddress": "true"}]},
        PRIVATE,
        key="network",
    ),
    Control(
        "EC2.170",
        TEMPLATE,
        "Metadata are read with a token alone (IMDSv2)",
        lambda it, _: it.get("metadataOptions.httpTokens") == "required",
        {"metadataOptions": {"httpTokens": "optional"}},
    ),
    Control(
        "EC2.180",
        (INTERFACE,),
        "It drops what is neither from it nor for it",
        lambda it, _: it.get("sourceDestCheck", True) is True,
        {"sourceDestCheck": False},
    ),
    Control(
        "EC2.181",
        TEMPLATE,
        "Disks are encrypted",
        lambda it, _: all(each in (True, "true") for each in it.every("blockDeviceMappings.ebs.encrypted")),
        {"blockDeviceMappings": [{"ebs": {"encrypted": "false"}}]},
    ),
    Control(
        "AutoScaling.1",
        FLEET,
        "An instance that the load balancer finds unhealthy is replaced",
        lambda it, graph: not graph.users(it, ATTACHMENT) or it.get("healthCheckType") == "ELB",
        {"healthCheckType": "ELB"},
        exception="on `swarm-ec2` one service that fails would take the node, and all other services, with it",
        wired=True,
    ),
    Control(
        "AutoScaling.2",
        FLEET,
        "It stands in at least two zones",
        lambda it, _: it.count("vpcZoneIdentifiers") >= 2,
        {"vpcZoneIdentifiers": ["subnet-1"]},
    ),
    Control(
        "AutoScaling.6",
        FLEET,
        "It may take several types of instance",
        lambda it, _: len(it.every("mixedInstancesPolicy.launchTemplate.overrides.instanceType")) >= 2,
        {"mixedInstancesPolicy": {"launchTemplate": {"overrides": [{"instanceType": "a"}, {"instanceType": "b"}]}}},
        key="ecs-ec2.instance-types",
        exception="one type unless `instance-types` of `ecs-ec2` names more: replicas are placed on what is known",
    ),
    Control(
        "AutoScaling.9",
        FLEET,
        "Instances are made of a launch template",
        lambda it, _: bool(it.get("mixedInstancesPolicy.launchTemplate") or it.get("launchTemplate")),
        {"mixedInstancesPolicy": None},
    ),
)
