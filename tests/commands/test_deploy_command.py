"""`yard deploy`: what is wrong with a call is told at once, before a stack is opened or anything is built."""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click import ClickException
from click.testing import CliRunner

from config.digests import GIVEN
from config.releases import Change
from tests.commands.doctoring import stack_file
from tests.program import DIGEST, config_for
from tests.unit.test_registries import push
from yard import deploy as command
from yard import image
from yard.answers import Answer
from yard.answers import outcome as outcome_of
from yard.deploy import Deployment
from yard.given import given
from yard.machine import MachineError

OTHER = f"sha256:{'b' * 64}"
SHOP = {
    "api": {"build": "shop"},
    "web": {"path": "/web"},
    "old": {"digest": DIGEST, "path": "/old"},
    "cache": {"image": f"docker.io/library/nginx@{DIGEST}", "path": "/cache"},
}


def deployment(root: Path, *images: str, commit: str | None = None, **config: Any) -> Deployment:
    """What a call means in a project whose service `api` has a Dockerfile."""
    stack_file(root, {**config_for("ecr", "ecs-fargate"), "services": SHOP, **config})
    (root / "shop").mkdir(exist_ok=True)
    (root / "shop/Dockerfile").touch()
    return Deployment.of(root, "dev", images, commit)


def digests(found: Deployment) -> dict[str, str]:
    return {name: each.digest for name, each in found.pushed.items()}


def test_without_a_name_what_has_a_build_is_deployed(tmp_path: Path) -> None:
    found = deployment(tmp_path)
    assert (list(found.build), found.pushed) == (["api"], {})


def test_what_ci_has_pushed_is_named_by_its_digest(tmp_path: Path) -> None:
    found = deployment(tmp_path, f"web={OTHER}", "api", f"old={DIGEST}")
    assert (list(found.build), digests(found)) == (["api"], {"web": OTHER, "old": DIGEST})


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(MachineError) as error:
        deployment(tmp_path, "apy", "web", "api=latest", f"old={OTHER}", f"cache={OTHER}")
    told = str(error.value).splitlines()
    assert told == [
        "there is no service 'apy': use one of api, cache, old, web; did you mean api?",
        "web has no `build`: say its folder, or give web=sha256:...",
        "api=latest: want a digest, sha256: and 64 hexadecimal digits, as `docker push` prints it",
        f"old is pinned to {DIGEST} in the configuration, so nothing else can run: take services.old.digest out of"
        " config/Pulumi.dev.yaml",
        "cache runs an image that someone else built: another one is another services.cache.image in"
        " config/Pulumi.dev.yaml, and `pulumi up --stack dev`",
    ]


def test_a_commit_is_for_what_was_built_elsewhere(tmp_path: Path) -> None:
    assert deployment(tmp_path, f"web={OTHER}", commit="3f2c1ab").pushed["web"].commit == "3f2c1ab"
    with pytest.raises(MachineError, match="--commit is for images that are named by digest"):
        deployment(tmp_path, "api", commit="3f2c1ab")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(MachineError, match=r"services\.api\.build: there is no Dockerfile in .*/elsewhere"):
        deployment(tmp_path, services={"api": {"build": "elsewhere"}})


def test_while_images_move_nothing_is_deployed(tmp_path: Path) -> None:
    ghcr = {"owner": "acme", "public": True}
    moving: dict[str, Any] = {"pull-from": "ecr", "registry": "ghcr", "ghcr": ghcr}
    with pytest.raises(MachineError, match="images of stack dev are on their way from ecr to ghcr: finish that first"):
        deployment(tmp_path, **moving)


def test_stack_local_has_its_own_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stack_file(tmp_path, {**config_for("ecr", "ecs-fargate"), "services": SHOP})
    monkeypatch.setattr(command, "ROOT", tmp_path)
    result = CliRunner().invoke(command.deploy, ["--stack", "local"])
    assert result.exit_code == 2
    assert "stack local is this machine's: `yard up` deploys it" in result.output


ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
LOGIN = f"aws ecr get-login-password --region us-east-1 | docker login --username AWS --password-stdin {ECR}"
GHCR = {"owner": "acme", "username": "robot", "password": "token"}
BUILT = "built for "


@pytest.mark.parametrize(
    ("registry", "options", "ran"),
    [
        ("ecr", {}, [LOGIN, f"{BUILT}{ECR}/shop/api:deployed-abc"]),
        ("ghcr", {"owner": "acme", "public": True}, [f"{BUILT}ghcr.io/acme/shop/api:deployed-abc"]),
        (
            "ghcr",
            GHCR,
            [
                f"{BUILT}ghcr.io/acme/shop/api:deployed-abc",
                LOGIN,
                f"docker pull {ECR}/shop/ghcr/acme/shop/api:deployed-abc",
            ],
        ),
    ],
    ids=["ecr", "ghcr", "ghcr with its cache"],
)
def test_an_image_goes_to_its_registry_and_then_into_the_cache(
    registry: str, options: dict[str, Any], ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[str] = []

    def build(source: object, here: object, repository: str, tag: str) -> str:
        found.append(f"{BUILT}{repository}:{tag}")
        return DIGEST

    monkeypatch.setattr(image, "run", lambda line, *_: found.append(line))
    monkeypatch.setattr(image, "pushed", lambda *_: None)
    monkeypatch.setattr(image, "build_and_push", build)
    source: Any = SimpleNamespace(service="api", version=lambda: "abc")
    here: Any = SimpleNamespace(say=lambda text: None)
    change = command._pushed(source, here, push(registry, options))
    assert (change.digest, change.commit) == (DIGEST, "abc")
    assert found == ran


def test_what_a_run_is_given_is_gone_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(GIVEN, "{}")
    with given({"api": Change(digest=DIGEST, commit="3f2c1ab"), "web": Change(digest=OTHER)}):
        told = json.loads(os.environ[GIVEN])
    assert told == {"api": {"digest": DIGEST, "commit": "3f2c1ab"}, "web": {"digest": OTHER}}
    assert os.environ[GIVEN] == "{}"


def test_ctrl_c_says_how_to_go_on_and_how_to_go_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def stop(self: Deployment, say: object) -> dict[str, Any]:
        raise KeyboardInterrupt

    deployment(tmp_path)
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(Deployment, "run", stop)
    result = CliRunner().invoke(command.deploy, ["--stack", "dev"])
    assert result.exit_code == 130
    assert "The same command goes on. `pulumi up --refresh --stack dev` goes back to what ran before" in result.stderr


def test_a_url_that_does_not_answer_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    services = {
        "api": {"digest": DIGEST, "url": "http://x", **outcome_of(None)},
        "web": {"digest": DIGEST, "url": "http://x/web", **outcome_of(Answer(200, 0.1, "null"))},
        "worker": {"digest": DIGEST, "url": None, **outcome_of(None)},
    }
    outcome = {"services": services, "changes": {}, "seconds": 1.0}
    for as_json in (True, False):
        with pytest.raises(ClickException) as error:
            command.show(outcome, "dev", as_json)
        assert error.value.exit_code == 1
        assert "no answer from http://x within 120 s." in error.value.message
    printed = capsys.readouterr().out
    assert json.loads(printed[: printed.index("\n}") + 2]) == outcome
    assert "http://x  does not answer" in printed
    command.show({**outcome, "services": {"web": services["web"], "worker": services["worker"]}}, "dev", True)
