"""A Kubernetes cluster that exists, by kubeconfig and context: GKE, AKS, k3s, kind, one of your own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pulumi
import yaml
from pydantic import Field, SecretStr, model_validator

from components.cost import Column, Demand, Item, Line, Note, Unpriced, jobs
from components.model import Cidr, Contradiction, Text
from components.needs import KubernetesCluster, Need
from components.orchestrator import Orchestrator, OrchestratorOptions, kubernetes_service, refused, translated
from components.orchestrator.kubernetes_service import Place
from components.pull import Anonymous, Login, NodeIdentity
from components.sdk import k8s
from components.service import Host, Name, Service
from components.shell import command
from components.usage import exact
from components.workflow import Access, Setting, Step
from components.workload import Address, Image, Target, Workload

Exposure = Literal["loadbalancer", "ingress", "nodeport"]
Label = Annotated[
    str,
    Text(
        r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
        "lower-case letters, digits and dashes, no dash at either end",
        max_length=63,
    ),
]
AnnotationKey = Annotated[
    str,
    Text(
        r"^([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$",
        "the key of an annotation, such as service.beta.kubernetes.io/aws-load-balancer-type",
        max_length=317,
    ),
]
NodePort = Annotated[int, Field(ge=30000, le=32767)]
OPEN = ("0.0.0.0/0",)

OUTSIDE: tuple[tuple[Column, str], ...] = (
    ("network", "the way out"),
    ("load balancer", "the way in"),
    ("logs", "logs"),
    ("transfer", "responses"),
)
"""What an estimate cannot know of a cluster that exists."""
ONLY: Mapping[str, frozenset[Exposure]] = {
    "address": frozenset({"nodeport"}),
    "node_ports": frozenset({"nodeport"}),
    "ingress_class": frozenset({"ingress"}),
    "ingress_host": frozenset({"ingress"}),
    "ingress_tls": frozenset({"ingress"}),
    "annotations": frozenset({"loadbalancer", "ingress"}),
}
"""Fields that mean something with some exposures alone."""


KUBECONFIG = Setting("KUBECONFIG", "a kubeconfig with the stack's context, of an account for the workflow", secret=True)
WRITE_KUBECONFIG = """\
umask 077
printf '%s\\n' "$TEXT" > "$RUNNER_TEMP/kubeconfig"
echo "KUBECONFIG=$RUNNER_TEMP/kubeconfig" >> "$GITHUB_ENV"
"""
NAME_CLUSTER = """\
printf '{"contexts": [{"name": "%s"}]}\\n' "$CONTEXT" > "$RUNNER_TEMP/kubeconfig"
echo "KUBECONFIG=$RUNNER_TEMP/kubeconfig" >> "$GITHUB_ENV"
"""


class KubernetesOptions(OrchestratorOptions):
    """`kubernetes`."""

    key = "kubernetes"
    target = "address"
    pulls_by = (Anonymous, Login, NodeIdentity)
    operated_by = "components.operations.kubernetes:OnKubernetes"
    verbs = {**kubernetes_service.VERBS, "logs": translated("those of the pods that exist: a cluster keeps no others")}
    capabilities = {
        **kubernetes_service.CAPABILITIES,
        "port": translated("the container's port; the URL has 80, 443 or the node port"),
        "autoscaling": translated("HorizontalPodAutoscaler on CPU; the cluster must have metrics-server"),
        "secrets": translated("Kubernetes Secret; encrypted at rest where the cluster is set up so"),
        "path": translated("rule of the Ingress; with another `exposure` it is an error"),
        "host": translated("rule of the Ingress; with another `exposure` it is an error"),
        "public": translated("false: nothing exposes it, and by NetworkPolicy nothing may connect"),
        "permissions": refused("a cluster from elsewhere gives pods no role on AWS that this program could make"),
    }

    context: str = Field(
        min_length=1,
        examples=["existing"],
        description="The context in the kubeconfig. Its name stands for the cluster: with another name everything"
        " is made anew.",
    )
    kubeconfig: SecretStr | None = Field(
        default=None,
        description="The kubeconfig itself, as text; set it with `pulumi config set --secret --path`.",
    )
    kubeconfig_file: str | None = Field(
        default=None,
        min_length=1,
        description="Path of the kubeconfig. If neither is set, what kubectl reads: `KUBECONFIG`, otherwise"
        " `~/.kube/config`.",
    )
    namespace: Label | None = Field(
        default=None,
        description="A namespace that exists. Unset: the stack makes one, which takes only pods that meet Pod"
        " Security `restricted`.",
    )
    exposure: Exposure = Field(
        default="loadbalancer",
        description="How callers reach a public service. loadbalancer: at its own address, from the cluster's"
        " provider. ingress: by host and path, through the cluster's ingress controller. nodeport: at a port of"
        " every node.",
    )
    address: str | None = Field(
        default=None, min_length=1, description="nodeport: the name or address at which the nodes answer."
    )
    node_ports: dict[Name, NodePort] = Field(
        default={}, description="nodeport: a map of service to port. Unset: the cluster chooses one."
    )
    ingress_class: str | None = Field(
        default=None, min_length=1, description="ingress: the controller's class. Unset: the cluster's default class."
    )
    ingress_host: Host | None = Field(
        default=None, description="ingress: host name of the services that have no `host`."
    )
    ingress_tls: Label | None = Field(
        default=None,
        description="ingress: the secret in the namespace that has the certificate, for example from cert-manager."
        " Unset: the URL is plain HTTP.",
    )
    annotations: dict[AnnotationKey, str] = Field(
        default={},
        description="loadbalancer and ingress: annotations of the Service or the Ingress, for the provider or the"
        " controller.",
    )
    callers: tuple[Cidr, ...] = Field(
        default=OPEN,
        min_length=1,
        description="Address ranges (CIDR) that may connect to the pods of public services. With ingress these are"
        " the controller's, otherwise the callers' and the nodes'.",
    )
    drain: int = Field(
        default=40,
        ge=1,
        le=600,
        description="Seconds that a pod still answers after it is told to stop. They must be more than the load"
        " balancer, the controller or the nodes still send to it.",
    )

    @model_validator(mode="after")
    def _one_kubeconfig(self) -> KubernetesOptions:
        if self.kubeconfig is not None and self.kubeconfig_file is not None:
            raise ValueError("kubeconfig and kubeconfig-file are both set: keep one")
        return self

    def needs(self, stack: str, services: Mapping[str, Service], protect: bool) -> Iterator[Need]:
        yield kubernetes_service.KUBECTL
        if self.kubeconfig is None:  # it is encrypted, and whoever looks may not be able to read it
            yield KubernetesCluster(self.context, tuple(kubeconfig_files(self)))

    def workflow_access(self, region: str) -> Access:
        """The kubeconfig: a secret on GitHub, as the file that everyone reads."""
        step = Step("Write the kubeconfig", run=WRITE_KUBECONFIG, env={"TEXT": KUBECONFIG.expression})
        return Access((step,), (), (KUBECONFIG,), tuple(self._not_in_a_workflow()))

    def _not_in_a_workflow(self) -> Iterator[str]:
        way = f"take it out, and the workflow reads the secret {KUBECONFIG.name}"
        if self.kubeconfig_file:
            yield f"kubernetes.kubeconfig-file is {self.kubeconfig_file}, a path of your machine: {way}"
        if self.kubeconfig:
            yield f"kubernetes.kubeconfig is encrypted, and `yard deploy` checks it without decrypting: {way}"

    def workflow_reading(self) -> tuple[Step, ...]:
        """A kubeconfig with the context and no login, against which the configuration is checked."""
        return (Step("Name the cluster", run=NAME_CLUSTER, env={"CONTEXT": self.context}),)

    def check(self, services: Mapping[str, Service], protect: bool) -> Iterator[Contradiction]:
        yield from _no_context(self)
        for field in sorted(self.model_fields_set & ONLY.keys()):
            if self.exposure not in ONLY[field]:
                wanted = " or ".join(sorted(ONLY[field]))
                yield "exposure", self.exposure, f"{wanted}, or no {field.replace('_', '-')}, which means nothing here"
        public = {name: service for name, service in services.items() if service.public}
        yield from _ingress_problems(self, public) if self.exposure == "ingress" else _port_problems(self, public)

    def joins(self) -> Iterator[Contradiction]:
        if self.exposure != "nodeport":
            yield "exposure", self.exposure, "nodeport, with `address`: an edge sends to a port of the nodes"

    def logs(self, stack: str, service: str) -> str:
        """Those of the pods that run; a cluster keeps no others."""
        chosen = ",".join(f"{key}={value}" for key, value in kubernetes_service.labels(stack, service).items())
        place = ("--context", self.context, "--namespace", self.namespace or stack)
        return command("kubectl", "logs", *place, "--selector", chosen, "--follow")

    def costs(self, demand: Demand) -> Iterator[Item]:
        """What is known of a cluster that exists: on GKE Autopilot, the replicas."""
        why = "the cluster exists already, and only its owner knows what it costs"
        if demand.usage.cluster == "gke-autopilot":
            yield from _autopilot(self.context, demand)
        else:
            yield Unpriced("compute", "replicas", why)
            yield Unpriced("control plane", "the cluster", why)
        for column, what in OUTSIDE:
            yield Unpriced(column, what, why)


class Kubernetes(Orchestrator[KubernetesOptions]):
    """A namespace, and for each service the objects of `kubernetes_service` and what exposes it."""

    token = "switchyard:orchestrator:Kubernetes"

    def build(self, child: pulumi.ResourceOptions) -> dict[str, pulumi.Input[str]]:
        provider = k8s.Provider(
            self.options.key,
            kubeconfig=_kubeconfig(self.options),
            context=self.options.context,
            # Without it a changed kubeconfig (another address, another login) would replace every object.
            cluster_identifier=self.options.context,
            # In a namespace of its own the stack sets every field, whoever has set it before. In one of others it stops
            # and names them: an object of the same name may be theirs.
            enable_patch_force=self.options.namespace is None,
            opts=child,
        )
        self.inside = pulumi.ResourceOptions(parent=self, provider=provider)
        self.namespace = self._namespace()
        return {"context": self.options.context, "namespace": self.namespace}

    def _namespace(self) -> pulumi.Output[str]:
        existing, stack = self.options.namespace, self.args.stack
        if existing is None:
            return kubernetes_service.namespace(self.options.key, stack, self.inside)
        # Of what others run there nothing may be touched.
        kubernetes_service.deny(self.options.key, stack, existing, kubernetes_service.part_of(stack), self.inside)
        return pulumi.Output.from_input(existing)

    def run(self, name: str, service: Service, image: Image, target: Target | None) -> Workload:
        place = Place(
            orchestrator=self.options.key,
            stack=self.args.stack,
            namespace=self.namespace,
            callers=self.options.callers,
            drain=self.options.drain,
            opts=self.inside,
        )
        found_by = kubernetes_service.expose(name, place)
        deployment = kubernetes_service.run(
            name,
            service,
            image,
            place,
            found_by,
            release=self.args.releases.get(name),
            runs_jobs=self.args.runs_jobs,
        )
        if not service.public:
            return Workload(healthy=(deployment,))
        # After the pods: Pulumi waits until a Service has some.
        after = place.after(deployment)
        if self.options.exposure == "ingress":
            ingress = self._ingress(name, service, found_by, after)
            return Workload((deployment, ingress), ingress.id.apply(lambda _: self._ingress_url(service)))
        published = self._publish(name, place, after)
        if target:
            dial = published.spec.apply(lambda spec: f"{self.options.address}:{_node_port(spec)}")
            return Workload((deployment, published), address=Address(dial))
        return Workload((deployment, published), self._url(published))

    def _publish(self, name: str, place: Place, after: pulumi.ResourceOptions) -> k8s.core.v1.Service:
        """A Service that the outside reaches, beside the one that the pods find each other by."""
        port: Any = {"name": "http", "port": 80, "target_port": "http", "protocol": "TCP"}
        spec: Any = {"selector": kubernetes_service.labels(place.stack, name), "ports": [port]}
        if self.options.exposure == "loadbalancer":
            spec["type"] = "LoadBalancer"
            if self.options.callers != OPEN:
                spec["load_balancer_source_ranges"] = list(self.options.callers)
        else:
            spec["type"] = "NodePort"
            if chosen := self.options.node_ports.get(name):
                port["node_port"] = chosen
                # In another namespace it is another Service, and the port is taken until the old one has gone.
                after = pulumi.ResourceOptions.merge(after, pulumi.ResourceOptions(delete_before_replace=True))
        return k8s.core.v1.Service(
            f"{name}--public",
            metadata={
                "name": f"{name}--public",
                "namespace": place.namespace,
                "annotations": dict(self.options.annotations),
            },
            spec=spec,
            opts=after,
        )

    def _url(self, published: k8s.core.v1.Service) -> pulumi.Output[str]:
        if self.options.exposure == "nodeport":
            return published.spec.apply(lambda spec: f"http://{self.options.address}:{_node_port(spec)}")
        return published.status.apply(lambda status: f"http://{_load_balancer(status)}")

    def _ingress(
        self, name: str, service: Service, found_by: k8s.core.v1.Service, after: pulumi.ResourceOptions
    ) -> k8s.networking.v1.Ingress:
        host = service.host or self.options.ingress_host
        backend: Any = {"service": {"name": found_by.metadata.name, "port": {"name": "http"}}}
        rule: Any = {
            "host": host,
            "http": {"paths": [{"path": service.path, "path_type": "Prefix", "backend": backend}]},
        }
        spec: Any = {"ingress_class_name": self.options.ingress_class, "rules": [rule]}
        if secret := self.options.ingress_tls:
            spec["tls"] = [{"hosts": [host], "secret_name": secret}]
        return k8s.networking.v1.Ingress(
            name,
            metadata={
                "name": name,
                "namespace": self.namespace,
                # Pulumi would wait for an address, which not every controller writes down.
                "annotations": {**self.options.annotations, "pulumi.com/skipAwait": "true"},
            },
            spec=spec,
            opts=after,
        )

    def _ingress_url(self, service: Service) -> str:
        scheme = "https" if self.options.ingress_tls else "http"
        return f"{scheme}://{service.host or self.options.ingress_host}{service.path.rstrip('/')}"


PENDING = "pending"
"""Stands in a preview for what the cluster has yet to give."""


def _node_port(spec: Any) -> str:
    return str(spec.ports[0].node_port or PENDING)


def _load_balancer(status: Any) -> str:
    """Some providers give a name, some an address."""
    given = status and status.load_balancer and status.load_balancer.ingress
    return str(given[0].hostname or given[0].ip) if given else PENDING


def _kubeconfig(options: KubernetesOptions) -> pulumi.Input[str] | None:
    """The provider takes the text or a path."""
    if options.kubeconfig:
        return pulumi.Output.secret(options.kubeconfig.get_secret_value())
    return options.kubeconfig_file


def _no_context(options: KubernetesOptions) -> Iterator[Contradiction]:
    """A kubeconfig that cannot be read, or that has no such context."""
    files = [file for file in kubeconfig_files(options) if file.is_file()]
    if not options.kubeconfig and not files:
        looked = ", ".join(map(str, kubeconfig_files(options)))
        yield "kubeconfig-file", options.kubeconfig_file, f"a file that exists; there is none at {looked}"
        return
    if not options.kubeconfig and not options.kubeconfig_file and len(kubeconfig_files(options)) > 1:
        yield "kubeconfig-file", None, "one file, because KUBECONFIG names several and Pulumi's provider opens one"
        return
    try:
        given = options.kubeconfig
        texts = [given.get_secret_value()] if given else [file.read_text(encoding="utf-8") for file in files]
        contexts = [context for text in texts for context in _contexts(text)]
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        path, value = ("kubeconfig", "(hidden)") if options.kubeconfig else ("kubeconfig-file", str(files[0]))
        yield path, value, "a kubeconfig that can be read, as `kubectl config view --raw --minify` prints it"
        return
    if options.context not in contexts:
        yield "context", options.context, f"one that the kubeconfig has: {', '.join(sorted(contexts)) or 'it has none'}"


def kubeconfig_files(options: KubernetesOptions) -> list[Path]:
    """Where kubectl looks, unless the stack says where."""
    if options.kubeconfig_file:
        return [Path(options.kubeconfig_file).expanduser()]
    named = os.environ.get("KUBECONFIG") or "~/.kube/config"
    return [Path(each).expanduser() for each in named.split(os.pathsep) if each]


def _contexts(kubeconfig: str) -> list[str]:
    return [str(each["name"]) for each in (yaml.safe_load(kubeconfig) or {}).get("contexts") or []]


def _ingress_problems(options: KubernetesOptions, public: Mapping[str, Service]) -> Iterator[Contradiction]:
    """A public service without a host, or two at one place."""
    taken: dict[tuple[str | None, str], str] = {}
    for name, service in public.items():
        host = service.host or options.ingress_host
        if host is None:
            yield "ingress-host", None, f"a host name, because service {name} has none of its own"
        elif (other := taken.setdefault((host, service.path), name)) != name:
            yield "ingress-host", host, f"a route of its own for {name} (its host or path): {other} has the same"


def _port_problems(options: KubernetesOptions, public: Mapping[str, Service]) -> Iterator[Contradiction]:
    """Routes that only an Ingress can make, and node ports that cannot be."""
    for name, service in public.items():
        if service.host or service.path != "/":
            asked = "host" if service.host else "path"
            yield "exposure", options.exposure, f"ingress, because service {name} has a {asked} of its own"
    if options.exposure != "nodeport":
        return
    if options.address is None:
        yield "address", None, "the name or address under which the cluster's nodes answer"
    taken: dict[int, str] = {}
    for name, port in options.node_ports.items():
        if name not in public:
            yield f"node-ports.{name}", port, f"the name of a public service: {', '.join(public)}"
        if (other := taken.setdefault(port, name)) != name:
            yield f"node-ports.{name}", port, f"another port than {other}'s"


def _autopilot(context: str, demand: Demand) -> Iterator[Item]:
    """GKE Autopilot: a fee for the cluster, and what the replicas ask for. Contexts there are named
    gke_PROJECT_LOCATION_CLUSTER."""
    location = context.split("_")[2] if context.count("_") == 3 else None
    hours, fee = demand.hours, "gke.cluster"
    yield Line("control plane", "GKE", hours, "cluster-hour", fee, "gke.cluster-free", "google")
    for name, service in demand.services.items():
        replicas = demand.replicas(name) * hours
        cpu, memory = replicas * exact(service.cpu), replicas * service.memory / 1024
        yield Line("compute", f"{name}: vCPU", cpu, "vCPU-hour", "gke.autopilot.vcpu", None, "google", location)
        yield Line("compute", f"{name}: memory", memory, "GB-hour", "gke.autopilot.memory", None, "google", location)
    yield from jobs(demand)
    yield Note("GKE Autopilot raises what a replica asks for to the sizes that it has")
