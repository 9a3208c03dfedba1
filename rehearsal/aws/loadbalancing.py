"""Load balancers, their listeners and rules, and the groups of targets that they send requests to; certificates."""

from collections.abc import Iterator

from rehearsal.aws import types
from rehearsal.aws.data_source import Question, data_source
from rehearsal.aws.making import Facts, Make, computed
from rehearsal.aws.resource_type import Name, Ref, ResourceType, Unique, refuses
from rehearsal.state import CloudResource, CloudState
from rehearsal.wire import Properties

NAME = Name(longest=32)
FORWARDED = ("targetGroupArn", "forward.targetGroups.arn")
"""Where an action of a listener or a rule names its target groups."""


# --- load balancers


def _load_balancer(facts: Facts) -> Properties:
    subnets = [facts.state.find(types.SUBNET, each) for each in facts.inputs.get("subnets", [])]
    return computed(
        arnSuffix="app/{name}/{hex:.16}",
        arn="arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/{arnSuffix}",
        id="{arn}",
        dnsName="{name}-{hex:.10}.{region}.elb.amazonaws.com",
        zoneId=f"Z{facts.hex(13).upper()}",
        vpcId=next((each.get("vpcId") for each in subnets if each), ""),
        ipAddressType="ipv4",
        loadBalancerType="application",
        internal=False,
    )(facts)


@refuses("ValidationError", "ELBv2 API")
def _too_few_zones(state: CloudState, balancer: CloudResource) -> Iterator[str]:
    """An application load balancer needs subnets in two zones at least."""
    subnets = [state.find(types.SUBNET, each) for each in balancer.all("subnets")]
    found = {each.get("availabilityZone", each.id) for each in subnets if each}
    if all(subnets) and len(found) < 2:
        yield f"{balancer.name}: at least two subnets in two different availability zones are needed"


def _logs_access(state: CloudState, balancer: CloudResource) -> None:
    if balancer.get("accessLogs.enabled"):
        state.written.add(balancer.get("accessLogs.bucket"))


LOAD_BALANCER = ResourceType(
    types.LOAD_BALANCER,
    _load_balancer,
    (150, 5, 15),
    "name namePrefix internal loadBalancerType",
    NAME,
    refs=(
        Ref("subnets", types.SUBNET),
        Ref("securityGroups", types.SECURITY_GROUP),
        Ref("accessLogs.bucket", types.BUCKET, holds=False),
    ),
    unique=Unique("name", taken="DuplicateLoadBalancerName"),
    missing="LoadBalancerNotFound",
    creating=(_too_few_zones,),
    made=_logs_access,
)


# --- listeners and rules


def _below(kind: str, parent: str) -> Make:
    """An ARN below the one that the input `parent` holds."""

    def make(facts: Facts) -> Properties:
        above = facts.inputs[parent].split(":", 5)[5].split("/", 1)[1]
        arn = f"arn:aws:elasticloadbalancing:{{region}}:{{account}}:{kind}/{above}/{{hex:.16}}"
        return computed(arn=arn, id="{arn}")(facts)

    return make


def balancers(state: CloudState, group: CloudResource) -> set[str]:
    """ARNs of the load balancers that a group hangs on, by a rule or a listener's default action."""
    found = set()
    for path in FORWARDED:
        for rule in state.where(types.LISTENER_RULE, f"actions.{path}", group.id):
            listener = state.find(types.LISTENER, rule.get("listenerArn"))
            # A listener that the stack did not make is not in the state, but it stands for its load balancer.
            found.add(listener.get("loadBalancerArn") if listener else rule.get("listenerArn"))
        for listener in state.where(types.LISTENER, f"defaultActions.{path}", group.id):
            found.add(listener.get("loadBalancerArn"))
    return found


def _weights(rule: CloudResource) -> list[list[int]]:
    """For each forward the weights of its groups."""
    forwards = rule.all("actions.forward") + rule.all("defaultActions.forward")
    return [[group.get("weight", 1) for group in each.get("targetGroups", [])] for each in forwards]


@refuses("TooManyTargetGroups", "ELBv2 limits")
def _wrong_number_of_groups(_: CloudState, rule: CloudResource) -> Iterator[str]:
    for weights in _weights(rule):
        if not 1 <= len(weights) <= 5:
            yield f"{rule.name} forwards to {len(weights)} groups; 1 to 5 are possible"


@refuses("ValidationError", "ELBv2 API; with 0 everywhere nobody is served")
def _wrong_weights(_: CloudState, rule: CloudResource) -> Iterator[str]:
    for weights in _weights(rule):
        if not all(0 <= weight <= 999 for weight in weights) or not sum(weights):
            yield f"{rule.name}: weights {weights}; each is 0 to 999, and one above 0"


def _forwarded(state: CloudState, rule: CloudResource) -> Iterator[tuple[CloudResource, CloudResource]]:
    """The groups that a rule or a listener names, each with the load balancer that would use it."""
    of_listener = rule.type == types.LISTENER
    listener = rule if of_listener else state.find(types.LISTENER, rule.get("listenerArn", ""))
    balancer = state.find(types.LOAD_BALANCER, listener.get("loadBalancerArn", "")) if listener else None
    actions = "defaultActions" if of_listener else "actions"
    for arn in {arn for path in FORWARDED for arn in rule.all(f"{actions}.{path}")}:
        group = state.find(types.TARGET_GROUP, arn)
        if group and balancer:
            yield group, balancer


@refuses("InvalidConfigurationRequest", "ELBv2 API")
def _unfit_groups(state: CloudState, rule: CloudResource) -> Iterator[str]:
    for group, balancer in _forwarded(state, rule):
        protocol = group.get("protocol", "HTTP")
        if group.get("targetType") != "lambda" and protocol not in ("HTTP", "HTTPS"):
            yield f"{group.name} is {protocol}; an application load balancer takes HTTP and HTTPS"
        if group.get("vpcId") not in (None, balancer.get("vpcId")) and balancer.get("vpcId"):
            yield f"{group.name} is in another VPC than {balancer.name}"


@refuses("TargetGroupAssociationLimit", "ELBv2 API")
def _groups_of_another(state: CloudState, rule: CloudResource) -> Iterator[str]:
    for group, balancer in _forwarded(state, rule):
        if balancers(state, group) - {balancer.id}:
            yield f"{group.name} hangs on another load balancer already"


FORWARDS = (_wrong_number_of_groups, _wrong_weights, _unfit_groups, _groups_of_another)


WEB_ACL_ASSOCIATION = ResourceType(
    types.WEB_ACL_ASSOCIATION,
    computed(id="{webAclArn},{resourceArn}"),
    (5, 5, 5),
    "resourceArn webAclArn",
    refs=(Ref("resourceArn", types.LOAD_BALANCER, holds=False),),
    unique=Unique("resourceArn", taken="WAFAssociatedItemException"),
)
LISTENER = ResourceType(
    types.LISTENER,
    _below("listener", "loadBalancerArn"),
    replace="loadBalancerArn",
    refs=(
        Ref("loadBalancerArn", types.LOAD_BALANCER, holds=False),
        Ref("certificateArn", types.CERTIFICATE),
        *(Ref(f"defaultActions.{path}", types.TARGET_GROUP) for path in FORWARDED),
    ),
    unique=Unique("loadBalancerArn port", taken="DuplicateListener"),
    missing="ListenerNotFound",
    creating=FORWARDS,
)


def _rule(facts: Facts) -> Properties:
    made = _below("listener-rule", "listenerArn")(facts)
    if facts.inputs.get("priority"):
        return made
    beside = facts.state.where(types.LISTENER_RULE, "listenerArn", facts.inputs["listenerArn"])
    return made | {"priority": 1 + max((each.get("priority", 0) for each in beside), default=0)}


LISTENER_RULE = ResourceType(
    types.LISTENER_RULE,
    _rule,
    replace="listenerArn",
    refs=(
        Ref("listenerArn", types.LISTENER, holds=False),
        *(Ref(f"actions.{path}", types.TARGET_GROUP) for path in FORWARDED),
    ),
    unique=Unique("listenerArn priority", taken="PriorityInUse"),
    creating=FORWARDS,
)


# --- target groups


def _target_group(facts: Facts) -> Properties:
    suffix, arn = "targetgroup/{name}/{hex:.16}", "arn:aws:elasticloadbalancing:{region}:{account}:{arnSuffix}"
    kind = facts.inputs.get("targetType", "instance")
    return computed(arnSuffix=suffix, arn=arn, id="{arn}", targetType=kind)(facts)


TARGET_GROUP = ResourceType(
    types.TARGET_GROUP,
    _target_group,
    replace="name namePrefix port protocol protocolVersion vpcId targetType ipAddressType",
    name=NAME,
    refs=(Ref("vpcId", types.VPC, holds=False),),
    unique=Unique("name", taken="DuplicateTargetGroupName"),
    missing="TargetGroupNotFound",
    in_use="ResourceInUse",
)


@refuses("ValidationError", "ELBv2 API, RegisterTargets")
def _group_of_addresses(state: CloudState, attachment: CloudResource) -> Iterator[str]:
    group = state.find(types.TARGET_GROUP, attachment.get("targetGroupArn") or attachment.get("lbTargetGroupArn", ""))
    if group and group.get("targetType") != "instance":
        yield f"{group.name} has target type {group.get('targetType')}; an instance cannot be in it"


@refuses("InvalidTarget", "ELBv2 API, RegisterTargets")
def _no_such_instance(state: CloudState, attachment: CloudResource) -> Iterator[str]:
    target = attachment.get("targetId", "")
    if not state.find(types.INSTANCE, target) and target not in state.existing:
        yield f"{attachment.name}: the instance {target} does not exist"


TARGET_GROUP_ATTACHMENT = ResourceType(
    types.TARGET_GROUP_ATTACHMENT,
    computed(id="{targetGroupArn}-{hex:.17}"),
    replace="targetGroupArn targetId port availabilityZone",
    refs=(Ref("targetGroupArn", types.TARGET_GROUP, holds=False),),
    creating=(_group_of_addresses, _no_such_instance),
)
AUTO_SCALING_ATTACHMENT = ResourceType(
    types.AUTO_SCALING_ATTACHMENT,
    computed(id="{autoscalingGroupName}-{hex:.17}"),
    (2, 1, 2),
    "autoscalingGroupName lbTargetGroupArn elb",
    refs=(
        Ref("autoscalingGroupName", types.AUTO_SCALING_GROUP, holds=False),
        Ref("lbTargetGroupArn", types.TARGET_GROUP, holds=False),
    ),
    creating=(_group_of_addresses,),
)


# --- names and certificates


def _certificate(facts: Facts) -> Properties:
    names = [facts.inputs["domainName"], *(facts.inputs.get("subjectAlternativeNames") or [])]
    proofs = [
        {
            "domainName": name,
            "resourceRecordName": f"_{facts.hex(32)}.{name.removeprefix('*.')}.",
            "resourceRecordType": "CNAME",
            "resourceRecordValue": f"_{facts.hex(32)}.acm-validations.aws.",
        }
        for name in dict.fromkeys(names)
    ]
    arn = "arn:aws:acm:{region}:{account}:certificate/{hex:.32}"
    return computed(arn=arn, id="{arn}", domainValidationOptions=proofs, status="PENDING_VALIDATION")(facts)


CERTIFICATE = ResourceType(
    types.CERTIFICATE,
    _certificate,
    (8, 1, 1),
    "domainName subjectAlternativeNames validationMethod keyAlgorithm",
    missing="ResourceNotFoundException",
    in_use="ResourceInUseException",
)
CERTIFICATE_VALIDATION = ResourceType(
    "aws:acm/certificateValidation:CertificateValidation",
    computed(id="{hex:.17}"),
    (90, 1, 0),
    "certificateArn validationRecordFqdns",
    refs=(Ref("certificateArn", types.CERTIFICATE, holds=False),),
)


def _record(facts: Facts) -> Properties:
    name = facts.inputs["name"]
    return {"id": f"{facts.inputs['zoneId']}_{name}_{facts.inputs['type']}", "fqdn": name.rstrip(".")}


@refuses("InvalidChangeBatch", "Route 53 API, ChangeResourceRecordSets: CREATE of a record that exists")
def _second_of_a_name(state: CloudState, record: CloudResource) -> Iterator[str]:
    """Unless the provider is told to overwrite."""
    for each in state.where(types.RECORD, "name", record.get("name")):
        same = all(each.get(path) == record.get(path) for path in ("zoneId", "type", "setIdentifier"))
        if same and not each.same(record) and not record.get("allowOverwrite"):
            yield f"tried to create {record.get('type')} {record.get('name')}, but it already exists"


RECORD = ResourceType(types.RECORD, _record, (35, 35, 35), "zoneId name setIdentifier", creating=(_second_of_a_name,))


@data_source("aws:route53/getZone:getZone")
def get_zone(ask: Question) -> Properties:
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
