"""HTTPS of the proxy, as far as no engine is needed: what is asked of it, who waits for whom, what stays a secret."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from components.edge import certificates, proxy_engine, proxy_routes, traefik
from components.edge.proxy_routes import Https
from components.testing.engine import HIDDEN, Graph
from components.testing.promises.checks import service_of
from config.problems import BadConfig
from tests.certificates import Authority
from tests.program import SERVICE, config_for, run_program
from tests.unit.test_proxy import ROUTES

NAMES = ("api.example.com", "shop.example.com")
ACME = {"acme": {"email": "ops@example.com"}}
MODULE = "pulumi-python:dynamic/proxy"


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A certificate of both names, and its key."""
    return Authority.at(tmp_path_factory.mktemp("pem") / "ca").certificate(*NAMES)


def made(proxy: dict[str, Any], domain: Any = None, **more: Any) -> Graph:
    services: dict[str, Any] = {"api": SERVICE, "shop": {**SERVICE, "host": NAMES[1], "port": 9000}}
    config = config_for("oci", "swarm", **services) | {"edge": "proxy", "proxy": proxy, **more}
    return run_program({**config, "domain": domain} if domain else config, secret_keys=("proxy", "services"))


@cache
def by_acme() -> Graph:
    return made(ACME, {"name": NAMES[0]})


class TestWithADomain:
    def test_callers_are_sent_to_https_once_the_certificate_is_shown(self) -> None:
        certificate = by_acme().one(f"{MODULE}:Certificate")
        for each in [*by_acme().of(f"{MODULE}:Group"), *by_acme().of(f"{MODULE}:Rule")]:
            assert certificate.urn in by_acme().waits_for(each)
        assert certificate.inputs["names"] == [*NAMES]
        assert by_acme().export("url") == f"https://{NAMES[0]}"

    def test_no_router_of_a_service_is_left_on_http_but_those_that_send_away(self) -> None:
        for each in by_acme().of(f"{MODULE}:Rule"):
            routers = each.inputs["route"]["routers"]
            assert routers[each.name]["entryPoints"] == ["https"]
            sent = {name: each["service"] for name, each in routers.items() if each["entryPoints"] == ["http"]}
            assert sent == {f"{each.name}/{to}": "noop@internal" for to in ("named", "other")}

    def test_the_key_stays_a_secret(self, pem: tuple[str, str]) -> None:
        chain, key = pem
        graph = made({"certificate": {"chain": chain, "key": key}}, {"name": NAMES[0]})
        certificate = graph.one(f"{MODULE}:Certificate")
        assert certificate.inputs["route"]["tls"]["stores"]["default"]["defaultCertificate"]["keyFile"] == key
        assert certificate.clear["route"] == HIDDEN
        assert all(key.splitlines()[1] not in str(each.clear) for each in graph)


def test_a_domain_changes_no_container_whose_port_is_open_already(pem: tuple[str, str]) -> None:
    given = {"certificate": dict(zip(("chain", "key"), pem, strict=True))}
    open_ = {"ports": {"https": 8443}}
    for before, after in ((ACME, ACME), (open_, {**open_, **given})):
        servers = [made(before), made(after, {"name": NAMES[0]})]
        assert len({str(each.one(f"{MODULE}:Server").inputs) for each in servers}) == 1
    assert "https" not in made({}).one(f"{MODULE}:Server").inputs


@pytest.mark.parametrize(
    ("proxy", "more", "wanted"),
    [
        ({}, {"domain": {"name": NAMES[0]}}, "domain is a map with name; want `proxy.acme` {email} beside it"),
        (ACME, {"domain": {"name": NAMES[0], "zone": "example.com"}}, "domain.zone is 'example.com'; want none"),
        ({"acme": {"email": "ops"}}, {"domain": {"name": NAMES[0]}}, "proxy.acme.email is 'ops'; want an e-mail"),
        ({"acme": {"email": "a@b.c", "server": "http://ca"}}, {}, "proxy.acme.server is 'http://ca'; want the URL"),
        ({"ports": {"http": 443}, **ACME}, {}, "proxy.ports.https is 443; want another port than that for http"),
        ({"ports": {"metrics": 80}}, {}, "proxy.ports.metrics is 80; want another port than that for http"),
        ({}, {"tls-policy": "ELBSecurityPolicy-TLS13-1-3-PQ-2025-09"}, "want another edge than proxy"),
        (
            {},
            {"preset": "production"},
            "domain is not set; want {name}, with `proxy.acme` or `proxy.certificate` for HTTPS, since",
        ),
        (ACME, {"domain": {"name": NAMES[0]}, "plain-http": True}, "nothing beside `domain`"),
    ],
)
def test_what_cannot_be_is_refused_at_its_key(proxy: dict[str, Any], more: dict[str, Any], wanted: str) -> None:
    with pytest.raises(BadConfig, match=re.escape(wanted)):
        made(proxy, **more)


def test_a_certificate_that_does_not_do_is_refused_and_its_key_never_told(pem: tuple[str, str], tmp_path: Path) -> None:
    chain, key = pem
    _, another = Authority.at(tmp_path / "ca").certificate("x.example.com")
    tried = {
        "proxy.certificate.key is hidden, for it may be secret; want the private key of the first": (
            chain,
            another,
            NAMES[0],
        ),
        "chain is hidden, for it may be secret; want a certificate that callers of www.example.com": (
            chain,
            key,
            "www.example.com",
        ),
        "proxy.certificate.chain is hidden, for it may be secret; want certificates in PEM": (key, key, NAMES[0]),
        "domain is not set; want {name} beside `proxy.certificate`": (chain, key, None),
    }
    for wanted, (given, secret, name) in tried.items():
        with pytest.raises(BadConfig, match=re.escape(wanted)) as error:
            made({"certificate": {"chain": given, "key": secret}}, {"name": name} if name else None)
        assert secret.splitlines()[1] not in str(error.value)
    both = {"certificate": {"chain": chain, "key": key}, **ACME}
    with pytest.raises(BadConfig, match=re.escape("want nothing beside `proxy.certificate`, or that to be taken out")):
        made(both, {"name": NAMES[0]})


def test_only_the_certificate_itself_is_trusted_and_not_all_that_its_ca_signs(pem: tuple[str, str]) -> None:
    assert certificates.fault(*pem, NAMES) is None
    assert len(certificates.trusting(pem[0] * 2).get_ca_certs(binary_form=True)) <= 1


HTTPS = Https(NAMES, 8443)
SHOP = service_of({"path": "/web/shop", "host": "shop.example.com"})


def test_a_caller_by_http_is_sent_to_the_name_that_it_called_or_to_the_urls() -> None:
    route = proxy_routes.shared("shop", SHOP, {"one": 1}, HTTPS)
    for name in ("shop/named", "shop/other"):
        assert route["routers"][name]["priority"] == route["routers"]["shop"]["priority"]
        assert route["routers"][name]["middlewares"] == [name]
    assert route["middlewares"]["shop/named"]["redirectScheme"]["port"] == "8443"
    assert route["middlewares"]["shop/other"]["redirectRegex"]["replacement"] == "https://api.example.com:8443${1}"
    assert "port" not in proxy_routes.to_https("x", SHOP, Https(NAMES, 443))["middlewares"]["x/named"]["redirectScheme"]


def test_without_https_nothing_is_said_of_it() -> None:
    assert "tls" not in proxy_routes.configuration(ROUTES.values(), "r1")
    whole = proxy_routes.configuration([proxy_routes.certificate(HTTPS, None)], "r1")
    assert whole["tls"]["stores"]["default"]["defaultGeneratedCert"]["domain"] == {"main": NAMES[0], "sans": [NAMES[1]]}
    assert whole["tls"]["options"]["default"]["minVersion"] == "VersionTLS12"


@pytest.mark.parametrize("challenge", ["http", "tls"])
def test_traefik_is_told_once_where_it_listens_and_who_certifies(challenge: str) -> None:
    acme = {"email": "a@b.c", "server": "https://ca/dir", "challenge": challenge, "root": "PEM"}
    props = {"port": 80.0, "https": 443.0, "metrics": 9100.0, "access_log": False, "acme": acme}
    told = {name: value for name, _, value in (each.partition("=") for each in traefik.arguments(props))}
    client = "--certificatesresolvers.acme.acme."
    assert {name.removeprefix(client): value for name, value in told.items() if name.startswith(client)} == {
        "email": "a@b.c",
        "caserver": "https://ca/dir",
        "storage": "/switchyard/acme.json",
        "keytype": "EC256",
        "cacertificates": "/switchyard/acme-ca.pem",
        **({"tlschallenge": "true"} if challenge == "tls" else {"httpchallenge.entrypoint": "http"}),
    }
    assert told["--entrypoints.https.http.maxheaderbytes"] == told["--entrypoints.http.http.maxheaderbytes"]
    assert proxy_engine.bindings(props) == {8080: 80, 8443: 443, 9100: ("127.0.0.1", 9100)}
