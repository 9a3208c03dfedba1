"""What no key shows by itself: contradictions between keys, and what the chosen backends cannot do."""

from collections.abc import Iterator, Mapping
from typing import Any

from components import orchestrator
from components.model import Contradiction, Model
from components.pull import Anonymous
from components.pulling import cell
from components.regions import regions
from components.service import ASKED_BY, Service
from config import delivery
from config.encrypted import PLAINLY, Encrypted
from config.fields import secrets_in
from config.problems import ENCRYPTED, PLAIN, Words, nearest
from config.settings import Settings
from config.stack_file import Steps, dotted
from policy import CONTROLS


def contradictions(settings: Settings, encrypted: Encrypted) -> Iterator[Contradiction]:
    """What each key by itself does not show."""
    yield from _traffic(settings)
    yield from _images(settings)
    yield from _plain_secrets(settings, encrypted)
    yield from _backends(settings)
    yield from _joins(settings)
    yield from _routes(settings)
    yield from _https(settings)
    yield from _domain(settings)
    yield from _github(settings)
    yield from room(settings)
    if settings.on_aws:
        yield from _aws(settings)
        # The words of the next name the region, which nobody is told where it is encrypted.
        yield from () if encrypted.is_in("aws:region") else _elsewhere(settings)


def _traffic(settings: Settings) -> Iterator[Contradiction]:
    traffic, keys = settings.config.traffic, settings.config
    if not traffic:
        return
    if keys.orchestrator not in traffic:
        yield "traffic", traffic, f"a weight for {keys.orchestrator} too, the stack's orchestrator"
    for key, weight in traffic.items():
        if not settings.is_behind_edge(key):
            yield (
                f"traffic.{key}",
                weight,
                f"orchestrators behind the load balancer; {key} publishes its ports itself, so no weight reaches it",
            )
    if sum(traffic.values()) <= 0:
        yield "traffic", traffic, "at least one weight above 0, or nobody is served"
    if len(traffic) > 5:
        yield "traffic", traffic, "at most 5 orchestrators: a listener rule takes no more target groups"


def _elsewhere(settings: Settings) -> Iterator[Contradiction]:
    """What AWS takes of the stack's own region alone."""
    keys = settings.config
    for path, arn, want in (
        ("waf", keys.waf, "a web ACL of {}, the stack's region: AWS attaches no other to its load balancer"),
        ("kms-key", keys.kms_key, "a key of {}, the stack's region: AWS encrypts with no other there"),
    ):
        if arn and arn.split(":")[3] != settings.region:
            yield path, arn, want.format(settings.region)


def _without_https(settings: Settings) -> Iterator[Contradiction]:
    if settings.config.tls_policy and settings.is_plain:
        yield "tls-policy", settings.config.tls_policy, "`domain` beside it: without one there is no HTTPS"


def _exceptions(settings: Settings) -> Iterator[Contradiction]:
    for name, why in settings.config.exceptions.items():
        if name not in CONTROLS:
            yield dotted(("exceptions", name)), why, f"a control of docs/controls.md{nearest(name, [*CONTROLS])}"


def _images(settings: Settings) -> Iterator[Contradiction]:
    keys = settings.config
    for name, images in settings.registries.items():
        path = "registry" if name == keys.registry else "pull-from"
        for key, runtime in settings.orchestrators.items():
            pulled = cell(images, runtime)
            if pulled.how == "refused":
                yield path, name, f"one whose images {key} can pull: {pulled.why}"
        if settings.on_aws and keys.network == "endpoints" and not images.vpc_endpoints:
            want = f"a way out to {name}, which has no VPC endpoint: nat-single, nat-per-az or public"
            yield "network", "endpoints", want
    for name, service in settings.services.items():
        if service.image:
            yield from _public_image(settings, f"services.{name}.image", service.image)


def _public_image(settings: Settings, path: str, image: str) -> Iterator[Contradiction]:
    """What keeps replicas from an image that is not in the stack's registry."""
    for key, runtime in settings.orchestrators.items():
        if Anonymous not in runtime.pulls_by:
            yield path, image, f"`digest` and an image in the stack's registry: {key} pulls only with a login"
    if settings.on_aws and settings.config.network == "endpoints":
        yield (
            path,
            image,
            f"a network with a way out to {image.partition('/')[0]}: nat-single, nat-per-az or public; or `digest`,"
            f" with the image in {settings.config.registry}",
        )


def _plain_secrets(settings: Settings, encrypted: Encrypted) -> Iterator[Contradiction]:
    """Secrets that are not encrypted, and what is encrypted for the provider and no secret."""
    for steps, value in _secrets(settings):
        if encrypted.is_plain(steps, value):
            yield dotted(steps), PLAIN, "an encrypted value"
    for key in ("aws:region", "aws:profile"):
        if encrypted.is_in(key):
            yield key, ENCRYPTED, f"plain text, {PLAINLY}"


def _secrets(settings: Settings) -> Iterator[tuple[Steps, Any]]:
    """Each secret, with the way to it from the name of its key on."""
    yield from secrets_in(settings.config, ())
    for backend, options in settings.backends.items():
        yield from secrets_in(options, (backend,))


THEIRS = "what exists already has its own"
BESIDE: Mapping[str, tuple[tuple[str, ...], str]] = {
    "domain": (("plain_http",), "with it callers have HTTPS"),
    "load_balancer": (("domain", "plain_http", "access_logs", "strict", "waf", "tls_policy"), THEIRS),
    "vpc": (("network", "zones", "flow_logs"), THEIRS),
}
"""A key -> those that mean nothing beside it, and why."""
ON_AWS = ("network", "zones", "flow_logs", "vpc", "log_days", "permissions_boundary", "kms_key", "security_groups")
"""Keys of what stands on AWS alone."""
AT_THE_EDGE = ("domain", "plain_http", "load_balancer", "access_logs", "strict", "waf", "tls_policy", "gate", "guard")
"""Keys of the edge. Each edge reads some of them (`EdgeOptions.reads`)."""


def superfluous(settings: Settings) -> Iterator[Contradiction]:
    """Keys that the stack sets and nothing would read: to be taken out."""
    keys = settings.config
    if keys.pull_from == keys.registry:
        yield "pull-from", keys.pull_from, "another registry than `registry`, or nothing once its images are there"
    off = [each for each in settings.orchestrators if not settings.is_behind_edge(each)]
    if keys.edge and off:
        yield "edge", keys.edge, f"an orchestrator that can stand behind it, not {' or '.join(off)}"
    elsewhere = f"an orchestrator on AWS, not {keys.orchestrator}"
    unread = {} if settings.on_aws else dict.fromkeys(ON_AWS, elsewhere)
    if settings.edge:
        others = [each for each in AT_THE_EDGE if each not in settings.edge.reads]
        unread |= dict.fromkeys(others, f"another edge than {settings.edge.key}")
    else:
        behind = f"an orchestrator behind the load balancer, not {keys.orchestrator}"
        unread |= dict.fromkeys(AT_THE_EDGE, behind if settings.on_aws else elsewhere)
    for other, (ours, why) in BESIDE.items():
        if other not in unread and getattr(keys, other):
            name = other.replace("_", "-")
            unread |= dict.fromkeys(ours, f"nothing beside `{name}`: {why}")
    yield from _alarms(settings)
    yield from delivery.unread(settings)
    yield from _exceptions(settings)
    yield from _without_https(settings)
    for field, want in unread.items():
        if field in settings.given:
            value = getattr(keys, field)
            value_given = value.model_dump(by_alias=True) if isinstance(value, Model) else value
            yield field.replace("_", "-"), value_given, want


def _alarms(settings: Settings) -> Iterator[Contradiction]:
    if (alarms := [*settings.config.guard.alarms]) and not settings.on_aws:
        yield "guard.alarms", alarms, "none: they are CloudWatch's, and nothing of the stack is on AWS"


def _backends(settings: Settings) -> Iterator[Contradiction]:
    for key, runtime in settings.orchestrators.items():
        for name, service in settings.services.items():
            for feature, reason in runtime.refusals(settings.as_run_by(key, service)).items():
                path = ASKED_BY.get(feature, feature)
                yield f"services.{name}.{path}", _asked(service, feature), f"what {key} can do: {reason}"
            for path, value, want in runtime.check_service(name, service):
                yield f"services.{name}.{path}", value, want
    for key, backend in settings.backends.items():
        for path, value, want in backend.check(settings.services_of(backend), settings.protects(backend)):
            yield f"{key}.{path}", value, want


def _joins(settings: Settings) -> Iterator[Contradiction]:
    """Orchestrators that cannot stand behind the edge, or without one, as they are."""
    for key, runtime in settings.orchestrators.items():
        behind = settings.is_behind_edge(key)
        found = runtime.joins() if behind else runtime.alone(settings.services_of(runtime))
        yield from ((f"{key}.{path}", value, want) for path, value, want in found)
        if behind and settings.edge and settings.edge.keeps:
            services, protect = settings.services_of(runtime), settings.protects(runtime)
            for path, value, want in runtime.bears(services, protect, settings.edge.keeps):
                yield f"{key}.{path}", value, want
    if settings.edge and settings.edge.keeps:
        yield from _reached(settings)


def _reached(settings: Settings) -> Iterator[Contradiction]:
    """An instance that callers do not come to, where the edge stands on it."""
    keys, want = settings.config, "where `edge` is {}: callers come to its instance by an address of the instance's own"
    if keys.vpc and keys.vpc.private_subnets:
        yield "vpc.private-subnets", keys.vpc.private_subnets, f"none {want.format(keys.edge)}"
    elif not keys.vpc and keys.network != "public":
        yield "network", keys.network, f"public {want.format(keys.edge)}"


def _asked(service: Service, feature: str) -> object:
    if feature == "autoscaling":
        return Words(f"{service.replicas.min} to {service.replicas.max}")
    if feature == "secrets":
        return sorted(service.secrets)
    return getattr(service, ASKED_BY.get(feature, feature).replace("-", "_"))


def _github(settings: Settings) -> Iterator[Contradiction]:
    """Orchestrators that workflows cannot be let to."""
    on_aws = [key for key in orchestrator.names() if orchestrator.load(key).Options.platform == "aws"]
    for index, key in enumerate(settings.config.github.orchestrators if settings.config.github else ()):
        if key not in on_aws:
            want = f"an orchestrator on AWS, one of {', '.join(on_aws)}{nearest(key, on_aws)}"
            yield f"github.orchestrators[{index}]", key, want


def _routes(settings: Settings) -> Iterator[Contradiction]:
    taken: dict[tuple[str | None, str], str] = {}
    if settings.edge is None:
        return
    for name, service in settings.services.items():
        if not service.public:
            continue
        route = (service.host, service.path)
        if route in taken:
            yield (
                f"services.{name}.path",
                service.path,
                f"a route of its own: {taken[route]} has the same host and path",
            )
        taken.setdefault(route, name)


def _domain(settings: Settings) -> Iterator[Contradiction]:
    if settings.edge and "domain" in settings.edge.reads:
        hosts = {f"services.{name}.host": each.host for name, each in settings.services.items() if each.host}
        yield from settings.edge.check_domain(settings.config.domain, hosts)


def _https(settings: Settings) -> Iterator[Contradiction]:
    """What production serves is encrypted, or somebody has said that it need not be."""
    keys = settings.config
    if settings.edge and keys.protect and settings.is_plain and not keys.plain_http:
        yield (
            "domain",
            None,
            f"{settings.edge.for_https} for HTTPS, since `protect` is on (preset production); or `plain-http` true, if"
            " callers shall have plain HTTP",
        )


def room(settings: Settings, came_from: str | None = None) -> Iterator[Contradiction]:
    """What no quota has room for, however it is raised; `came_from` is an orchestrator that is up besides, until the
    `up` has moved the traffic."""
    needed = settings.quotas
    if came_from and settings.edge:
        needed = [*settings.edge.quotas(settings.traffic(joining=1))]
    for each in needed:
        limit = each.limit
        if each.needed <= limit.ceiling:
            continue
        public = sum(service.public for service in settings.services.values())
        many = Words(f"{len(settings.services)} services, {public} of them public")
        moving = f" in the move from {came_from}, while both are up," if came_from else ""
        yield (
            "services",
            many,
            f"what{moving} needs at most {limit.ceiling:g} {limit.what}, not {each.needed:g}; nobody raises that quota"
            f" any further ({limit.source}): {limit.way}",
        )


def _aws(settings: Settings) -> Iterator[Contradiction]:
    keys = settings.config
    if not settings.region:
        yield "aws:region", None, "the AWS region to run in, such as us-east-1 or ap-northeast-1"
    elif settings.region not in regions():
        which = nearest(settings.region, sorted(regions())) or ", such as us-east-1 or ap-northeast-1"
        yield "aws:region", settings.region, f"a region that AWS has{which}"
    if not keys.vpc.private_subnets if keys.vpc else keys.network == "public":
        for runtime in settings.orchestrators.values():
            if want := runtime.needs_way_out:
                yield ("vpc.private-subnets", [], want) if keys.vpc else ("network", "public", want)
    if keys.load_balancer and not keys.vpc:
        yield "vpc", None, "the VPC of the existing load balancer: {id, public-subnets}"
    yield from _groups(settings)


def _groups(settings: Settings) -> Iterator[Contradiction]:
    """Security groups that exist, where nothing would be in them."""
    keys = settings.config
    groups = keys.security_groups
    if groups is None:
        return
    if not keys.vpc:
        yield "vpc", None, "the VPC that `security-groups` are in: {id, public-subnets}"
    if groups.load_balancer and keys.load_balancer:
        yield "security-groups.load-balancer", groups.load_balancer, f"nothing beside `load-balancer`: {THEIRS}"
    for key, runtime in settings.orchestrators.items():
        if groups.replicas and runtime.keeps_groups:
            yield "security-groups.replicas", groups.replicas, f"nothing with {key}: {runtime.keeps_groups}"
