"""The first user's own decision table: each figure as they wrote it, beside what the price files say now.

What they wrote is here, in their units: 1 GB is 1000 MB, a deployment is one full pull by one node, and no layer of an
image is there already. What holds now is computed from components/prices/, so that it follows a refresh.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from components import orchestrator, prices, registry
from components.cost import Column
from components.estimate import Estimate, cents
from components.prices import GLOBAL, Price, plain
from components.usage import Usage
from config.estimates import every_pair
from config.presets import PRESETS
from config.settings import Config, Settings
from yard.comparison.said import Figure, Row, Said, row

SIZES = (200, 500)
"""MB of an image."""
DEPLOYMENTS = 20
"""A month; they wrote 17 to 20."""
QUOTAS = {"free": (Decimal("0.5"), Decimal(1)), "pro": (Decimal(2), Decimal(10))}
"""GitHub's plan -> GB of storage, GB of transfer a month."""
PRO = Decimal(4)
HUB_PRIVATE = Decimal(1)
HUB_PLAN = (Decimal(5), Decimal(7))
"""Private repositories, USD a month."""
ECR_PUBLIC_FREE = Decimal(5000)
"""GB a month to others than EC2."""
ECR_STORAGE, ECR_TRANSFER = Decimal("0.10"), Decimal("0.14")
GOOGLE_FREE, GOOGLE_TRANSFER = Decimal("0.5"), Decimal("0.042")
FARGATE_DEARER = Decimal(40)
"""Per cent, for the same CPU."""
BUDGET = (Decimal(7), Decimal(10))
"""USD a month: 1,000 yen."""
CHOSEN = ("ecr-public", "eks")
SERVICE = {"cpu": 0.25, "memory": 512, "replicas": 1}
REGIONS = ("us-east-1", "ap-northeast-1")

ASSUMED = (
    "1 GB is 1000 MB; one full pull a deployment, by one node, with no layer of the image there already",
    f"the month: 1 service of 1 copy with {SERVICE['cpu']} vCPU and {SERVICE['memory']} MiB, {DEPLOYMENTS} deployments,"
    " preset trial; what they did not write is taken from the usage preset small",
)


def document() -> dict[str, Any]:
    """The table for machines."""
    return {"assumed": list(ASSUMED), "rows": [each.json() for each in rows()]}


def rows() -> Iterator[Row]:
    """The whole table, in their order."""
    yield from _github()
    yield from _docker_hub()
    yield from _ecr_public()
    yield from _ecr()
    yield from _artifact_registry()
    yield from _fargate()
    yield from _budget()


# --- the rows -----------------------------------------------------------------------------------------------------


def _github() -> Iterator[Row]:
    about = "GitHub Packages (ghcr.io)"
    for plan, title in (("free", "Free"), ("pro", "Pro")):
        wrote = tuple(map(Figure, QUOTAS[plan]))
        now = (
            _free("github", f"packages.storage-included.{plan}"),
            _free("github", f"packages.transfer-included.{plan}"),
        )
        text = "{} GB stored, {} GB of transfer a month"
        yield row(about, f"plan {title}", Said(text, wrote), Said(text, now), "the quotas of packages")
        for what, per_image, (had, has) in (
            ("deployments a month", deployments, (wrote[1], now[1])),
            ("images that fit", images, (wrote[0], now[0])),
        ):
            text = " and ".join(f"{{}} at {size} MB" for size in SIZES)
            yield row(
                about,
                f"{title}: {what}",
                Said(text, _each_size(per_image, had)),
                Said(text, _each_size(per_image, has)),
                "each pulls the whole image once" if per_image is deployments else "without a layer in common",
            )
    price = "{:$} USD a month"
    pro = _usd("github", "plan.pro")
    yield row(about, "price of Pro", Said(price, (Figure(PRO),)), Said(price, (pro,)), "for an account")
    today = Said("{:$} USD/GB-month, {:$} USD/GB", (_usd("github", "ghcr.storage"), _usd("github", "ghcr.transfer")))
    yield row(
        about, "containers today", None, today, "GitHub charges nothing for containers so far: no quota above binds"
    )
    yield row(
        about,
        "pulls inside Actions",
        None,
        Said("{:$} USD/GB", (_usd("github", "packages.transfer-actions"),)),
        "with GITHUB_TOKEN; a cluster that pulls with a personal token would count",
    )
    over = Said(
        "{:$} USD/GB-month, {:$} USD/GB", (_usd("github", "packages.storage"), _usd("github", "packages.transfer"))
    )
    yield row(about, "over the quota", None, over, "only if GitHub begins to charge for containers")


def _docker_hub() -> Iterator[Row]:
    about = "Docker Hub"
    text = "{} private repository free"
    yield row(
        about,
        "plan Personal",
        Said(text, (Figure(HUB_PRIVATE),)),
        Said(text, (_free("docker", "private-repositories.personal"),)),
        "the second one needs a plan",
    )
    yield row(
        about,
        "more private ones",
        Said("{} for {:$} USD a month", tuple(map(Figure, HUB_PLAN))),
        Said(
            "plan Pro, any number: {:$} USD a month, {:$} paid by the year",
            (_usd("docker", "plan.pro"), _usd("docker", "plan.pro-yearly")),
        ),
        "plans by number of repositories ended in 2020",
    )
    yield row(
        about,
        "pulls in 6 hours",
        None,
        Said(
            "{} an address without login, {} with Personal",
            (_free("docker", "pulls.anonymous"), _free("docker", "pulls.personal")),
        ),
        "nodes behind one NAT gateway share one address; Pro has no limit",
    )


def _ecr_public() -> Iterator[Row]:
    about = "Amazon ECR, public (chosen)"
    text = "{:$} USD/GB"
    yield row(
        about,
        "pulls to AWS",
        Said(text, (Figure(Decimal(0)),)),
        Said(text, (_usd("aws", "ecr-public.pull-aws"),)),
        "to any region; private nodes still pay their NAT gateway for it",
    )
    yield row(
        about,
        "pulls elsewhere",
        Said("{} GB a month free", (Figure(ECR_PUBLIC_FREE),)),
        Said(
            "{} GB free logged in to AWS, {} GB without; then {:$} USD/GB",
            (
                _free("aws", "ecr-public.transfer-logged-in"),
                _free("aws", "ecr-public.transfer-anonymous"),
                _usd("aws", "ecr-public.transfer"),
            ),
        ),
        "5 TB only with a login; without one pulls fail past the limit",
        "corrected",
    )
    yield row(
        about,
        "storage",
        None,
        Said(
            "{} GB free, then {:$} USD/GB-month",
            (_free("aws", "ecr-public.storage-free"), _usd("aws", "ecr-public.storage")),
        ),
        "nothing expires, so that a year of images adds up",
    )


def _ecr() -> Iterator[Row]:
    about = "Amazon ECR, private"
    in_both = " and ".join(f"{{:$}} in {region}" for region in REGIONS)

    def both(key: str) -> tuple[Figure, ...]:
        return tuple(_usd("aws", key, region) for region in REGIONS)

    yield row(
        about,
        "storage, GB-month",
        Said("{:$} USD", (Figure(ECR_STORAGE),)),
        Said(f"{in_both}, USD", both("ecr.storage")),
        "the newest 30 images are kept",
    )
    yield row(
        about,
        "transfer out, GB",
        Said("{:$} USD", (Figure(ECR_TRANSFER),)),
        Said(f"{in_both}, USD", both("transfer.internet")),
        f"perhaps {both('transfer.internet')[1]:$} misread; to the internet only, and the account's first"
        f" {_free('aws', 'transfer.free')} GB a month are free",
        "corrected",
    )
    yield row(
        about,
        "pulls in the region",
        None,
        Said("{:$} USD/GB", (_usd("aws", "ecr.pull"),)),
        "a cluster beside its registry pays no transfer at all",
    )
    yield row(
        about,
        "free at first",
        Said("12 months", ()),
        Said("12 months, {} GB-month, old accounts", (_free("aws", "ecr.storage-free-first-year"),)),
        "accounts made since 2025-07-15 get credits instead, so no estimate here counts on it",
    )


def _artifact_registry() -> Iterator[Row]:
    about = "Google Artifact Registry"
    yield row(
        about,
        "storage free",
        Said("{} GB", (Figure(GOOGLE_FREE),)),
        Said("{} GB", (_free("google", "artifact-registry.storage-free"),)),
        "for a billing account",
    )
    yield row(
        about,
        "storage beyond",
        None,
        Said("{:$} USD/GB-month", (_usd("google", "artifact-registry.storage"),)),
        "regions and multi-regions alike",
    )
    yield row(
        about,
        "transfer, GB",
        Said("{:$} USD", (Figure(GOOGLE_TRANSFER),)),
        Said(
            "{:$} within Asia, {:$} within North America, {:$} to the internet, USD",
            (
                _usd("google", "artifact-registry.transfer-asia"),
                _usd("google", "artifact-registry.transfer-north-america"),
                _usd("google", "artifact-registry.internet", "us"),
            ),
        ),
        "theirs is another product's price, in the last line here; to AWS it is the internet's",
        "corrected",
    )
    yield row(
        about,
        "in one location",
        Said("{:$} USD/GB", (Figure(Decimal(0)),)),
        Said("{:$} USD/GB", (_usd("google", "artifact-registry.transfer-location"),)),
        "cheap only with the servers at Google too, as they found",
    )
    yield row(
        about,
        "Interconnect, Asia",
        None,
        Said("{:$} USD/GB", (_usd("google", "interconnect.asia"),)),
        "Cloud Interconnect, a leased line out of Google: this is what they had read",
    )


def _fargate() -> Iterator[Row]:
    about = "Fargate against EC2, same vCPU and memory"
    wrote: Said | None = Said("about {} % dearer", (Figure(FARGATE_DEARER),))
    for architecture, instance in (("x86_64", "m6i.large"), ("arm64", "m7g.large")):
        ratios = [_ratio(region, architecture, instance) for region in REGIONS]
        dearer = tuple(Figure(((each.value - 1) * 100).quantize(Decimal(1)), each.tiers) for each in ratios)
        full = [plain((100 / each.value).quantize(Decimal(1))) for each in ratios]
        yield row(
            about,
            f"{architecture}, 2 vCPU and 8 GB",
            wrote,
            Said(" and ".join(f"{{}} % in {region}" for region in REGIONS) + f" over {instance}", dearer),
            f"an instance is the cheaper one only where {full[0]} % of it, and {full[1]} %, is in use",
            "corrected",
        )
        wrote = None  # they had one figure for both


def _budget() -> Iterator[Row]:
    for region in REGIONS:
        yield from _month(region)


def _month(region: str) -> Iterator[Row]:
    about = "Their month: all of it, for 7 to 10 USD"
    settings = _settings(region)
    found = {size: tuple(every_pair(settings, case(size), region)) for size in SIZES}
    for size, pairs in found.items():
        yield _cheapest(about, f"{region}: cheapest pair, {size} MB", _least(pairs))
    least = _least(found[SIZES[0]])
    total, balancer = _sum(least), _sum(least, "load balancer")
    why = "each pair on AWS has one in front"
    if balancer.value > BUDGET[1]:
        why = f"it does not fit, whatever else is chosen: {why}"
    yield row(about, f"{region}: the load balancer alone", None, Said("{:$} USD", (balancer,)), why)
    rest = Figure(total.value - balancer.value, total.tiers)
    fits = "within" if rest.value <= BUDGET[1] else "still above"
    why = f"the copy, its address, images and logs: {fits} their most"
    yield row(about, f"{region}: all but that", None, Said("{:$} USD", (rest,)), why)
    (chosen,) = (each for each in found[SIZES[0]] if (each.registry, *each.orchestrators) == CHOSEN)
    now = Said(f"{{:$}} USD: {_name(chosen)}", (_sum(chosen),))
    why = f"{_sum(chosen, 'control plane'):$} USD of it is the control plane, before any node"
    yield row(about, f"{region}: the pair they chose", None, now, why)


def _cheapest(about: str, what: str, least: Estimate) -> Row:
    total = _sum(least)
    wrote = Said("{:$} to {:$} USD", tuple(map(Figure, BUDGET)))
    now = Said(f"{{:$}} USD: {_name(least)}", (total,))
    if total.value <= BUDGET[1]:
        return Row(about, what, wrote, now, "unchanged", "it fits")
    why = f"does not fit, at {total.value / BUDGET[1]:.1f} times their most; and it is the least"
    return Row(about, what, wrote, now, "corrected", why)


# --- what they are made of ----------------------------------------------------------------------------------------


def deployments(transfer: Decimal, size: int) -> Decimal:
    """How many deployments `transfer` GB allow, each a full pull of `size` MB."""
    return transfer * 1000 // size


def images(storage: Decimal, size: int) -> Decimal:
    """How many images of `size` MB fit into `storage` GB."""
    return storage * 1000 // size


def case(size: int) -> Usage:
    """Their month, with images of `size` MB."""
    return Usage.model_validate(
        {"preset": "small", "image-size": size, "deploys": DEPLOYMENTS, "layer-reuse": 0, "github-plan": "pro"}
    )


def _settings(region: str) -> Settings:
    name, runtime = CHOSEN
    keys = {"registry": name, "orchestrator": runtime, "preset": "trial", "services": {"api": SERVICE}}
    return Settings(
        stack="seed",
        region=region,
        profile=None,
        config=Config.model_validate({**keys, **asdict(PRESETS["trial"])}, by_name=True),
        given=frozenset(keys),
        registries={name: registry.load(name).Options()},
        orchestrators={runtime: orchestrator.load(runtime).Options()},
    )


def _least(found: tuple[Estimate, ...]) -> Estimate:
    """The cheapest of those that are known in full."""
    known = [each for each in found if not each.runs_unpriced and each.amount().whole]
    return min(known, key=lambda each: each.amount().usd)


def _sum(found: Estimate, column: Column | None = None) -> Figure:
    """USD a month, in one column or in all."""
    tiers = tuple(tier for each in found.counted(column) for tier in each.evidence)
    amount = found.amount(column)
    return Figure(cents(amount.usd), tiers, amount.whole)


def _name(found: Estimate) -> str:
    return f"{found.registry} with {' and '.join(found.orchestrators)}"


def _ratio(region: str, architecture: str, instance: str) -> Figure:
    """What 2 vCPU and 8 GB cost on Fargate, for each USD that they cost as an instance."""
    vcpu, memory = (_usd("aws", f"fargate.{architecture}.{what}", region) for what in ("vcpu", "memory"))
    rented = _usd("aws", f"ec2.{instance}", region)
    return Figure((2 * vcpu.value + 8 * memory.value) / rented.value, (*vcpu.tiers, *memory.tiers, *rented.tiers))


def _each_size(per_image: Callable[[Decimal, int], Decimal], quota: Figure) -> tuple[Figure, ...]:
    return tuple(Figure(per_image(quota.value, size), quota.tiers) for size in SIZES)


def _usd(vendor: str, key: str, region: str = GLOBAL) -> Figure:
    """What a unit costs, the first tier's."""
    tier = _price(vendor, key, region).tiers[0]
    return Figure(tier.usd, (tier,))


def _free(vendor: str, key: str) -> Figure:
    """How much an allowance is."""
    price = _price(vendor, key, GLOBAL)
    assert price.quantity is not None
    return Figure(price.quantity, price.tiers)


def _price(vendor: str, key: str, region: str) -> Price:
    return prices.load(vendor, region).prices[key]
