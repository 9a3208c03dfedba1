"""Amazon EKS in Auto Mode: Kubernetes whose nodes, networking and load-balancer bindings AWS looks after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cached_property
from typing import Annotated

import pulumi
from pydantic import Field

from components.aws import cluster_admins, cluster_api, iam, parts
from components.aws.fleet import GIB, INSTANCE_TYPES, Architecture, Fleet, whole
from components.cost import Demand, Item, Line, Note, Unpriced, instances, jobs
from components.edge.alb import DEREGISTRATION_DELAY
from components.hooks import INTERRUPTED, waiting
from components.model import Cidr, Contradiction, Text, is_example
from components.needs import FixedNames, Need, Program, Question
from components.orchestrator import AwsOrchestrator, OrchestratorOptions, aws_logs, kubernetes_service, translated
from components.pull import Anonymous, AwsRole, Login
from components.sdk import aws, eks, k8s
from components.service import PORTS, Service
from components.usage import exact
from components.workload import Image, Registration, Target, Workload

Role = Annotated[
    str,
    Text(
        r"^arn:aws[a-z-]*:iam::\d{12}:role/[A-Za-z0-9_+=,.@/-]+$",
        "an IAM role's ARN, such as arn:aws:iam::123456789012:role/ci",
    ),
]
NODES: Mapping[Architecture, str] = {"x86_64": "m7i.large", "arm64": "m7g.large"}
"""What an estimate takes the nodes to be: Auto Mode chooses among all types of the families c, m and r."""
FLEET = Fleet(keeps_cpu=0.1, keeps_memory=GIB)
"""In an estimate; about what EKS reserves on a node of that size."""
POD_IDENTITY = "pods.eks.amazonaws.com"
NODE_DISK = 80
"""GiB (EKS user guide, "Node Class Specification", ephemeralStorage)."""


class EksOptions(OrchestratorOptions):
    """`eks`."""

    key = "eks"
    platform = "aws"
    aws_access = parts.EKS
    # The provider waits half an hour for a cluster and twenty minutes for each add-on; to delete it takes as long.
    longest_up = 3 * 60 * 60
    target = "ip"
    pulls_by = (Anonymous, AwsRole, Login)
    keeps_groups = "EKS makes the security group of its nodes itself"
    operated_by = "components.operations.eks:OnEks"
    verbs = {
        **kubernetes_service.VERBS,
        "logs": translated("the stack's log group in CloudWatch: also what other orchestrators wrote there"),
    }
    # Nodes without another way out (EKS user guide, "Private clusters").
    vpc_endpoints = frozenset({"ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth", "elasticloadbalancing", "logs", "sts"})
    capabilities = {
        **kubernetes_service.CAPABILITIES,
        "health": translated("readiness probe, and the load balancer's health check"),
        "secrets": translated("Kubernetes Secret, encrypted by EKS"),
        "path": translated("listener rule"),
        "host": translated("listener rule"),
        "public": translated("without a binding and a NetworkPolicy nothing may connect"),
        "permissions": translated("a role for the service's pods alone, by EKS Pod Identity"),
    }

    version: Annotated[str, Text(r"^1\.\d\d$", "a Kubernetes version, such as 1.34")] | None = Field(
        default=None,
        description="Kubernetes version. Unset: the newest that EKS offers when the cluster is made.",
    )
    access: tuple[Cidr, ...] = Field(
        default=cluster_api.OPEN,
        min_length=1,
        examples=[["203.0.113.0/24"]],
        description="Public IPv4 ranges (CIDR) that may reach the cluster's API. Every call also needs IAM"
        " credentials. With `protect` you must set the ranges.",
    )
    private_access: tuple[Cidr, ...] = Field(
        default=(),
        description="In place of `access`: private IPv4 ranges (CIDR), such as the VPC's own or a VPN's. Only they"
        " may reach the cluster's API, and the internet may not, so `pulumi up` must run there.",
    )
    admins: tuple[Role, ...] = Field(
        default=(),
        description="ARNs of IAM roles that may run `pulumi up` on the cluster, besides the one that made it. The"
        " role that `github` makes may do so, too.",
    )

    def check(self, services: Mapping[str, Service], protect: bool) -> Iterator[Contradiction]:
        yield from cluster_api.contradictions(self.access, self.private_access, protect)

    def needs(self, stack: str, services: Mapping[str, Service], protect: bool) -> Iterator[Need]:
        yield Program("aws", "the cluster's kubeconfig calls `aws eks get-token`")
        yield kubernetes_service.KUBECTL
        yield FLEET.vcpu(NODES, services.values())  # Auto Mode rents nodes of the account
        question = Question("eks", "describe_cluster", {"name": stack})
        delete = ("aws", "eks", "delete-cluster", "--name")
        yield FixedNames("name-cluster", "aws:eks/cluster:Cluster", {stack: question}, delete)

    def registers(self, name: str, service: Service, stack: str, protect: bool) -> Registration | None:
        registration = super().registers(name, service, stack, protect)
        # Auto Mode's role may register targets only in groups that bear its cluster's name
        # (AWS managed policy AmazonEKSLoadBalancingPolicy).
        return registration and replace(registration, tags={"eks:eks-cluster-name": stack})

    def logs(self, stack: str, service: str) -> str:
        return aws_logs.follow(stack, f"{service}.{self.key}.")

    def pulls(self, service: str, demand: Demand) -> Decimal:
        """Once for each node that has replicas."""
        return min(demand.replicas(service), self._nodes(demand.services[service].architecture, demand)[1])

    def costs(self, demand: Demand) -> Iterator[Item]:
        """The control plane, and as many nodes of one size as the replicas need, with Auto Mode's fee for each."""
        extended = demand.usage.extended_support
        key = "eks.cluster-extended" if extended else "eks.cluster"
        yield Line("control plane", "EKS", demand.hours, "cluster-hour", key)
        if extended:
            yield Note(
                "the cluster's `upgrade_policy` is STANDARD, so AWS upgrades it when standard support ends: extended"
                " support is charged only if somebody changes that"
            )
        for wanted in NODES:
            kind, count = self._nodes(wanted, demand)
            if count:
                yield from instances("nodes", kind, count, NODE_DISK, demand)
                yield Line("compute", "Auto Mode", count * demand.hours, "instance-hour", f"eks.auto.{kind}")
                yield Note(
                    f"Auto Mode chooses the nodes itself: they are priced as {kind}, one in each zone with replicas"
                )
        yield from jobs(demand)
        if demand.usage.audit_logs is None:
            yield Unpriced(
                "logs", "the cluster's audit log", "how much it writes is not known; set `audit-logs` in the usage"
            )
        else:
            written = exact(demand.usage.audit_logs)
            yield Line("logs", "the cluster's audit log", written, "GB", "logs.ingest")
            kept = written * demand.log_days * 12 / 365
            yield Line("logs", "the cluster's audit log, kept", kept, "GB-month", "logs.storage")

    def _nodes(self, wanted: Architecture, demand: Demand) -> tuple[str, Decimal]:
        """The type of the nodes for replicas of an architecture, and how many of it they need."""
        theirs = {name: each for name, each in demand.services.items() if each.architecture == wanted}
        kind = FLEET.type_for(NODES[wanted], theirs.values())
        replicas = [(each, float(demand.replicas(name))) for name, each in theirs.items()]
        # Replicas are spread over the zones, and nodes are made for that.
        spread = min(demand.zones, max((count for _, count in replicas), default=0))
        needed = max(spread, *FLEET.needs(INSTANCE_TYPES[kind], replicas).values())
        return kind, Decimal(whole(needed))


class Eks(AwsOrchestrator[EksOptions]):
    """A cluster, a namespace for the stack, and for each service the objects of `kubernetes_service`."""

    token = "switchyard:orchestrator:Eks"

    def build(self, child: pulumi.ResourceOptions) -> dict[str, pulumi.Input[str]]:
        for block in filter(is_example, self.options.access):
            pulumi.log.warn(
                f"eks.access: {block} is reserved for documentation, and EKS refuses it: name your own", self
            )
        self._cluster = self._make_cluster(child)
        # By way of an output of the cluster's, so that the cluster stays until what uses the name is gone.
        self._cluster_name = self._cluster.cluster_security_group_id.apply(lambda _: self.args.stack)
        self._inside = pulumi.ResourceOptions(parent=self, provider=self._connect(), deleted_with=self._cluster)
        # A new pod counts as ready only once the load balancer has found it healthy: else a rollout is over while all
        # old pods drain and no new one is served yet (AWS Load Balancer Controller, "Pod readiness gate"). The label is
        # Auto Mode's own.
        self._cluster_namespace = kubernetes_service.namespace(
            "eks", self.args.stack, self._inside, {"eks.amazonaws.com/pod-readiness-gate-inject": "enabled"}
        )
        # Auto Mode enforces NetworkPolicies only once told to (EKS user guide, "Network policies with Auto Mode").
        k8s.core.v1.ConfigMap(
            "eks-network-policies",
            metadata={"name": "amazon-vpc-cni", "namespace": "kube-system"},
            data={"enable-network-policy-controller": "true"},
            opts=self._inside,
        )
        self._measured = False
        self._opened: aws.vpc.SecurityGroupIngressRule | None = None
        self._ship_logs()
        return {"cluster": self.args.stack}

    def _make_cluster(self, child: pulumi.ResourceOptions) -> eks.Cluster:
        # The cluster is a packaged component: what it depends on has to come in through its inputs.
        audit = self.vault.runtime_logs("eks-control-plane", f"/aws/eks/{self.args.stack}/cluster")
        ready = pulumi.Output.all(*[each.urn for each in (*self.network.ready, audit)])
        return eks.Cluster(
            "eks",
            # Fixed and known beforehand: the edge tags the target groups with it, and may not depend on the cluster.
            name=self.args.stack,
            version=self.options.version,
            vpc_id=self.network.vpc_id,
            subnet_ids=[
                pulumi.Output.all(subnet, ready).apply(lambda both: str(both[0]))
                for subnet in self.network.workload_subnets
            ],
            authentication_mode=eks.AuthenticationMode.API,
            access_entries=cluster_admins.entries(self.options.admins, self.foundation.deployer),
            auto_mode={"enabled": True},
            # Auto Mode brings nodes and DNS of its own.
            create_instance_role=False,
            skip_default_node_group=True,
            coredns_addon_options={"enabled": False},
            endpoint_private_access=True,
            endpoint_public_access=not self.options.private_access,
            public_access_cidrs=None if self.options.private_access else list(self.options.access),
            enabled_cluster_log_types=["audit", "authenticator"],
            encryption_config_key_arn=self.vault.kms_key,
            # No deletion protection, whatever `protect` says: a switch away from here must be able to remove it.
            upgrade_policy=aws.eks.ClusterUpgradePolicyArgs(support_type="STANDARD"),
            opts=self._with_deployer(child),
        )

    def _with_deployer(self, child: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
        """As CI makes the cluster, if CI deploys."""
        if self.foundation.deployer is None:
            return child
        by_entry = cluster_admins.creator_by_entry(self.foundation.deployer, self)
        return pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(transforms=[by_entry]))

    def _connect(self) -> k8s.Provider:
        child = pulumi.ResourceOptions(parent=self)
        reached = cluster_api.let_in(self._cluster.cluster_security_group_id, self.options.private_access, child)
        return k8s.Provider(
            "eks",
            # The cluster's own kubeconfig takes whatever credentials it finds.
            kubeconfig=self._cluster.get_kubeconfig(profile_name=self.profile)
            if self.profile
            else self._cluster.kubeconfig_json,
            # Without it a changed kubeconfig would replace every object in the cluster.
            cluster_identifier=self.args.stack,
            # All that it makes is the stack's own, whoever has set a field of it before.
            enable_patch_force=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self._cluster, *reached]),
        )

    def run(self, name: str, service: Service, image: Image, target: Target | None) -> Workload:
        place = kubernetes_service.Place(
            orchestrator=self.options.key,
            stack=self.args.stack,
            namespace=self._cluster_namespace,
            callers=[self.network.cidr],
            drain=DEREGISTRATION_DELAY + 10,
            opts=self._inside,
        )
        found_by = kubernetes_service.expose(name, place)
        bindings = [self._bind(name, target, found_by)] if target else []
        before = [found_by, *bindings, *self._identity(name, service)]
        deployment = kubernetes_service.run(
            name,
            service,
            image,
            place,
            *before,
            release=self.args.releases.get(name),
            runs_jobs=self.args.runs_jobs,
        )
        if service.replicas.scales:
            self._measure()
        return Workload(healthy=(*bindings, deployment))

    def _identity(self, name: str, service: Service) -> list[pulumi.Resource]:
        """What lets the service's pods, known by their service account, do what it asks for on AWS."""
        if not service.permissions:
            return []
        child = pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(f"{name}-pod", assume_role_policy=iam.trust(POD_IDENTITY, "sts:TagSession"), opts=child)
        may_act = iam.permitted(f"{name}-pod", role, service.permissions, child)
        association = aws.eks.PodIdentityAssociation(
            name,
            cluster_name=self._cluster_name,
            namespace=self._cluster_namespace,
            service_account=name,
            role_arn=role.arn,
            opts=pulumi.ResourceOptions(parent=self, hooks=self._known_to_pods),
        )
        return [*may_act, association]

    @cached_property
    def _known_to_pods(self) -> pulumi.ResourceHookBinding:
        """A pod that starts before the cluster knows of its role never gets it, and the API tells nobody when it does:
        seconds later (EKS API, CreatePodIdentityAssociation; aws/containers-roadmap #2507). So whatever starts pods
        waits as long as the gate looks at replicas."""

        def wait(_: pulumi.ResourceHookArgs) -> None:
            INTERRUPTED.wait(self.foundation.gate.polls * self.foundation.gate.interval)

        return pulumi.ResourceHookBinding(after_create=[waiting("identity", wait)])

    def _measure(self) -> None:
        """Let the autoscalers know the pods' CPU: a cluster does not measure by itself."""
        if self._measured:
            return
        self._measured = True
        aws.eks.Addon(
            "eks-metrics",
            cluster_name=self._cluster_name,
            addon_name="metrics-server",
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _let_in(self, target: Target) -> aws.vpc.SecurityGroupIngressRule:
        """Let the load balancer reach the pods, once for all services: there is one security group, the nodes', and it
        takes a rule only once. On which port which pod may be reached say the NetworkPolicies, until the pod is gone;
        a rule by port would be deleted when the new pods are ready, while the old ones still get requests."""
        if self._opened is None:
            self._opened = aws.vpc.SecurityGroupIngressRule(
                "eks-load-balancer",
                security_group_id=self._cluster.cluster_security_group_id,
                referenced_security_group_id=target.security_group_id,
                description="Pods, from the load balancer",
                ip_protocol="tcp",
                from_port=PORTS[0],
                to_port=PORTS[1],
                opts=pulumi.ResourceOptions(parent=self),
            )
        return self._opened

    def _bind(self, name: str, target: Target, found_by: k8s.core.v1.Service) -> k8s.apiextensions.CustomResource:
        """Let the cluster register the pods in the edge's group, and let the load balancer reach them."""
        return k8s.apiextensions.CustomResource(
            name,
            api_version="eks.amazonaws.com/v1",
            kind="TargetGroupBinding",
            metadata={"name": name, "namespace": self._cluster_namespace},
            spec={
                "serviceRef": {"name": found_by.metadata.name, "port": 80},
                "targetGroupARN": target.group,
                "targetType": "ip",
            },
            opts=pulumi.ResourceOptions.merge(
                self._inside,
                pulumi.ResourceOptions(depends_on=[target.ready, self._let_in(target)]),
            ),
        )

    def _ship_logs(self) -> None:
        """Write what the replicas print to the stack's log group, one stream a pod."""
        child = pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role("eks-logs", assume_role_policy=iam.trust(POD_IDENTITY, "sts:TagSession"), opts=child)
        may_write = aws.iam.RolePolicy(
            "eks-logs",
            role=role.name,
            policy=iam.document(
                iam.allow(
                    ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                    [pulumi.Output.concat(self.vault.log_group_arn, ":*")],
                )
            ),
            opts=child,
        )
        aws.eks.Addon(
            "eks-logs",
            cluster_name=self._cluster_name,
            addon_name="amazon-cloudwatch-observability",
            configuration_values=pulumi.Output.json_dumps(
                {
                    # It would put an agent of its own into every pod, in a container that our namespace does not
                    # admit (aws/amazon-cloudwatch-agent-operator#361).
                    "manager": {"applicationSignals": {"autoMonitor": {"monitorAllServices": False}}},
                    "containerLogs": {
                        "fluentBit": {
                            "config": {
                                "extraFiles": {
                                    "application-log.conf": self.vault.log_group.apply(self._fluent_bit),
                                    # What the nodes themselves print is Auto Mode's business.
                                    "dataplane-log.conf": "",
                                    "host-log.conf": "",
                                }
                            }
                        }
                    },
                }
            ),
            pod_identity_associations=[{"role_arn": role.arn, "service_account": "cloudwatch-agent"}],
            # It waits for nodes, which Auto Mode starts only for pods that ask.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[may_write]),
        )

    def _fluent_bit(self, log_group: str) -> str:
        sections: list[tuple[str, dict[str, str]]] = [
            (
                "INPUT",
                {
                    "Name": "tail",
                    "Tag": "application.*",
                    "Path": f"/var/log/containers/*_{self.args.stack}_*.log",
                    "multiline.parser": "docker, cri",
                    "DB": "/var/fluent-bit/state/flb_container.db",
                    "Mem_Buf_Limit": "50MB",
                    "Skip_Long_Lines": "On",
                    "storage.type": "filesystem",
                },
            ),
            (
                "FILTER",
                {
                    "Name": "kubernetes",
                    "Match": "application.*",
                    "Kube_Tag_Prefix": "application.var.log.containers.",
                    "Labels": "Off",
                    "Annotations": "Off",
                    "Use_Kubelet": "On",
                    "Kubelet_Port": "10250",
                },
            ),
            (
                "OUTPUT",
                {
                    "Name": "cloudwatch_logs",
                    "Match": "application.*",
                    "region": "${AWS_REGION}",
                    "log_group_name": log_group,
                    "log_stream_prefix": f"unnamed.{self.options.key}.",
                    "log_stream_template": f"$kubernetes['container_name'].{self.options.key}.$kubernetes['pod_name']",
                    "log_key": "log",
                },
            ),
        ]
        return "\n".join(
            f"[{title}]\n" + "".join(f"  {key} {value}\n" for key, value in body.items()) for title, body in sections
        )
