"""Offer files that a test makes of those beside it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from yard import prices as command

OFFERS = Path(__file__).with_name("offers")
EXPECTED = OFFERS / "expected"
VIRGINIA, TOKYO = "us-east-1", "ap-northeast-1"
OLD = """\
{
  "vendor": "aws",
  "region": "ap-northeast-1",
  "prices": [
    {"key": "alb.hour", "usd": 0.03, "unit": "hour", "status": "memory", "as_of": null, "source": "memory"},
    {"key": "logs.free", "usd": 0, "unit": "GB", "status": "memory", "as_of": null, "source": "記憶", "quantity": 5},
    {"key": "nat.hour", "usd": 0.062, "unit": "hour", "status": "third-party", "as_of": "2026-06", "source": "a blog"}
  ]
}
"""
PRINTED = {
    VIRGINIA: {
        "alb.hour": "0.0225",
        "ec2.t3.nano": "0.0052",
        "ec2.m7i.large": "0.1008",
        "eks.cluster": "0.1",
        "eks.cluster-extended": "0.6",
        "eks.auto.m7i.xlarge": "0.02419",
        "endpoint.data": "0.01, 0.006 from 1048576, 0.004 from 5242880",
        "fargate.x86_64.memory": "0.004445",
        "fargate.storage": "0.000111",
        "logs.ingest": "0.5",
        "nlb.lcu": "0.006",
        "secrets.calls": "0.05",
        "transfer.internet": "0.09, 0.085 from 10240, 0.07 from 51200, 0.05 from 153600",
    },
    TOKYO: {
        "alb.hour": "0.0243",
        "ec2.t3.nano": "0.0068",
        "ec2.m7i.large": "0.1302",
        "eks.auto.m7i.xlarge": "0.03125",
        "fargate.x86_64.memory": "0.00553",
        "logs.ingest": "0.76",
        "transfer.internet": "0.114, 0.089 from 10240, 0.086 from 51200, 0.084 from 153600",
    },
}
"""By what the lists were made from, not by what the program wrote."""


def run(*arguments: str, offers: Path | str = OFFERS) -> Result:
    result = CliRunner().invoke(command.prices, ["refresh", *arguments, "--offers", str(offers)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def path_of(lists: Path, service: str, region: str = TOKYO) -> Path:
    return lists / service / "current" / region / "index.json"


@contextmanager
def edited(lists: Path, service: str, region: str = TOKYO) -> Iterator[dict[str, Any]]:
    path = path_of(lists, service, region)
    document = json.loads(path.read_text())
    yield document
    path.write_text(json.dumps(document, indent=1))


def sku(document: Mapping[str, Any], usage: str, **attributes: str) -> str:
    wanted = {"usagetype": usage, **attributes}
    (found,) = (
        name
        for name, product in document["products"].items()
        if wanted.items() <= {**product, **product["attributes"]}.items()
    )
    return str(found)


def dimensions(document: dict[str, Any], usage: str, **attributes: str) -> list[dict[str, Any]]:
    (term,) = document["terms"]["OnDemand"][sku(document, usage, **attributes)].values()
    return list(term["priceDimensions"].values())
