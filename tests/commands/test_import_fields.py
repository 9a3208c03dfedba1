"""`yard import`, field by field: what each value of another tool's file becomes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from components.service import Service
from yard.importing.dialects import Imported, load


def imported(root: Path, document: Mapping[str, Any]) -> Imported:
    """What comes of a document, in the dialect that it is in."""
    file = root / "document.yaml"
    file.write_text(json.dumps(document), encoding="utf-8")
    return load(file, root, None, None)


@pytest.mark.parametrize(
    ("value", "ours"),
    [
        ("a${B:-c}d", "acd"),
        ("${A:-${B:-${C-deep}}}", "deep"),
        ("$$HOME/$${x}", "$HOME/${x}"),
        ("${A:+set}", ""),
        ("${A-}", ""),
        ("no $ here", "no $ here"),
        ("${A:-$$x}", "$x"),
    ],
)
def test_defaults_stand_for_variables(value: str, ours: str, tmp_path: Path) -> None:
    found = imported(tmp_path, {"services": {"web": {"environment": {"VALUE": value}}}})
    assert found.services["web"]["env"] == {"VALUE": ours}


@pytest.mark.parametrize("value", ["$A", "${A}", "x${A:?say}", "${A:-${B}}", "${A?}"])
def test_a_variable_without_default_is_dropped(value: str, tmp_path: Path) -> None:
    found = imported(tmp_path, {"services": {"web": {"environment": {"VALUE": value}}}})
    assert "env" not in found.services["web"]
    assert found.report.lines[0].why.endswith("has no default in the file: write the value itself")


@pytest.mark.parametrize(
    ("ports", "ours"),
    [
        (["8080:8080"], {"port": 8080}),
        (["127.0.0.1:8080:8080"], {"port": 8080, "public": False}),
        (["[::1]:8080:8080"], {"port": 8080, "public": False}),
        (["0.0.0.0:80:8080/tcp"], {"port": 8080}),
        (["53:5353/udp", 9000], {"port": 9000}),
        ([{"target": 8080, "host_ip": "127.0.0.1"}], {"port": 8080, "public": False}),
        ([{"target": "8080", "published": 80}], {"port": 8080}),
        (["80:80", "8443:8443"], {"port": 8443}),
        (["${PORT}:8080"], {"port": 8080}),
        ([{"published": 80}], {"public": False}),
    ],
)
def test_ports(ports: list[Any], ours: dict[str, Any], tmp_path: Path) -> None:
    assert imported(tmp_path, {"services": {"web": {"ports": ports}}}).services["web"] == ours


@pytest.mark.parametrize(
    ("platforms", "platform", "ours", "architecture"),
    [
        (["linux/amd64", "linux/arm64"], None, ["linux/amd64", "linux/arm64"], None),
        (["linux/amd64", "linux/arm/v7"], None, ["linux/amd64"], None),
        (["linux/arm64"], None, ["linux/arm64"], "arm64"),
        (["linux/amd64", "linux/arm64"], "linux/arm64", ["linux/amd64", "linux/arm64"], "arm64"),
        (["linux/amd64"], "linux/arm64", None, "arm64"),
        (["linux/s390x"], None, None, None),
        ("linux/amd64", None, None, None),
    ],
)
def test_platforms(platforms: Any, platform: str | None, ours: Any, architecture: str | None, tmp_path: Path) -> None:
    fields = {"build": {"context": ".", "platforms": platforms}} | ({"platform": platform} if platform else {})
    found = imported(tmp_path, {"services": {"web": fields}})
    web = found.services["web"]
    assert (web["build"].get("platforms"), web.get("architecture")) == (ours, architecture)
    Service.model_validate_json(json.dumps(web))
    taken = {line.path for line in found.report.lines if line.verdict != "dropped"}
    assert ("build.platforms" in {line.to for line in found.report.lines}) == (ours is not None), taken


@pytest.mark.parametrize(
    ("fields", "ours"),
    [
        ({"count": 3}, {"replicas": 3}),
        ({"count": {"range": "2-5"}}, {"replicas": {"min": 2, "max": 5}}),
        ({"count": {"range": "5-2"}}, {}),
        (
            {"count": {"range": {"min": 1, "max": 4}, "cpu_percentage": 55}},
            {"replicas": {"min": 1, "max": 4, "cpu": 55}},
        ),
        ({"count": {"cpu_percentage": 55}}, {}),
        ({"count": {"spot": 4}}, {"replicas": 4}),
        ({"cpu": 4096, "memory": 8192}, {"cpu": 4, "memory": 8192}),
        ({"platform": "linux/arm64"}, {"architecture": "arm64"}),
        ({"platform": "windows/x86_64"}, {}),
        ({"http": False}, {"public": False}),
        ({"http": {"private": True}}, {"public": False}),
        ({"http": {"path": "/api/*"}}, {"path": "/api"}),
        ({"http": {"alias": ["a.example.com", "b.example.com"]}}, {"host": "a.example.com"}),
        ({"storage": {"volumes": {"a": {"path": "/data", "read_only": False, "efs": True}}}}, {}),
    ],
)
def test_fields_of_a_manifest(fields: dict[str, Any], ours: dict[str, Any], tmp_path: Path) -> None:
    manifest = {"name": "api", "type": "Load Balanced Web Service", **fields}
    found = imported(tmp_path, manifest).services["api"]
    health = {} if ours.get("public") is False else {"health": "/"}
    assert found == {**ours, **health}


@pytest.mark.parametrize(
    ("container", "ours"),
    [
        ({"image": "."}, {"build": {"context": "."}}),
        ({"resources": {"limits": {"cpu": "1500m", "memory": "1Gi"}}}, {"cpu": 1.5, "memory": 1024}),
        ({"resources": {"requests": {"cpu": "2", "memory": "100M"}}}, {"cpu": 2, "memory": 96}),
        ({"resources": {"limits": {"cpu": "fast", "memory": "1Xi"}}}, {}),
        ({"livenessProbe": {"httpGet": {"path": "/a"}}}, {"health": "/a"}),
        (
            {"variables": {"A": "x$$y", "B": "${metadata.name}", "C": "${resources.a.b}"}},
            {"env": {"A": "x$y", "B": "api"}},
        ),
    ],
)
def test_fields_of_a_workload(container: dict[str, Any], ours: dict[str, Any], tmp_path: Path) -> None:
    document = {"apiVersion": "score.dev/v1b1", "metadata": {"name": "api"}, "containers": {"main": container}}
    found = imported(tmp_path, document).services["api"]
    assert found == {**ours, "public": False}
