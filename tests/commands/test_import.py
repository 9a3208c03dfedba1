"""`yard import`: what becomes of files of other tools, field by field, and how it gets into a stack's file."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from components.service import Service
from config import load
from config.stack_file import StackFile
from tests.commands.doctoring import stack_file
from tests.program import config_for
from yard import import_ as command
from yard.importing import copilot
from yard.importing import stack_file as text
from yard.importing.dialects import DIALECTS
from yard.importing.draft import Given
from yard.importing.source import VERDICTS, NoImport, leaves_of

CASES = Path(__file__).parent / "imported"
FILES = sorted(each for each in CASES.glob("*/*") if each.suffix != ".txt")
HIDDEN = ("hunter2", "not-so-secret", "abc123")
"""Secrets in those files."""
WAYS = (("ecr", "ecs-fargate"), ("ecr-public", "eks"))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of the test's own, without services."""
    (tmp_path / "config").mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\n", encoding="utf-8")
    monkeypatch.setattr(command, "ROOT", tmp_path)
    return tmp_path


def run(*arguments: str | Path, code: int = 0) -> Result:
    done = CliRunner().invoke(command.import_, [*map(str, arguments)])
    assert done.exit_code == code, done.output
    return done


def put(root: Path, content: str, name: str = "compose.yaml") -> Path:
    file = root / name
    file.write_text(content, encoding="utf-8")
    return file


class TestPublicFiles:
    """Files in the manner of public ones; beside each what the command says of it."""

    @pytest.mark.parametrize("case", FILES, ids=lambda each: f"{each.parent.name}/{each.name}")
    def test_services_and_report_are_exactly_these(self, case: Path, root: Path) -> None:
        done = run(_copy(case, root))
        assert f"{done.stdout}---\n{done.stderr}" == case.with_suffix(".txt").read_text(encoding="utf-8")

    @pytest.mark.parametrize(("registry", "orchestrator"), WAYS)
    @pytest.mark.parametrize("case", FILES, ids=lambda each: f"{each.parent.name}/{each.name}")
    def test_the_services_are_a_configuration(self, case: Path, root: Path, registry: str, orchestrator: str) -> None:
        services = yaml.safe_load(run(_copy(case, root)).stdout)["config"]["services"]
        found = load.of_file(stack_file(root, config_for(registry, orchestrator, **services)))
        assert found.services.keys() == services.keys()

    @pytest.mark.parametrize("case", FILES, ids=lambda each: f"{each.parent.name}/{each.name}")
    def test_no_secret_is_said(self, case: Path, root: Path) -> None:
        file = _copy(case, root)
        assert not [each for each in HIDDEN if each in run(file).output + run(file, "--json").output]

    def test_those_files_have_secrets(self) -> None:
        everything = "".join(each.read_text(encoding="utf-8") for each in CASES.rglob("*.y*ml"))
        assert all(each in everything for each in HIDDEN)


def _copy(case: Path, root: Path) -> Path:
    return Path((shutil.copytree if case.is_dir() else shutil.copy)(case, root / case.name))


ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 70000)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(
        ["8080:8080", "0.5", "512M", "A=b", "API_TOKEN=hunter2", "${A:-b}", "$B", "a@sha256:" + 64 * "0"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.just("PASSWORD"), inner, max_size=3)
    ),
    max_leaves=8,
)


def _nested(ways: list[tuple[str, Any]]) -> Any:
    """A document with a value at each of the ways to fields; what contradicts what is there already is left out."""
    found: dict[str, Any] = {}
    for way, value in ways:
        *outer, last = way.split(".")
        inner = found
        for step in outer:
            below = inner.setdefault(step, {})
            inner = below if isinstance(below, dict) else {}
        inner.setdefault(last, value)
    return found


def _service(dialect: str) -> st.SearchStrategy[Any]:
    """Anything at fields that the dialect's tables know, and at others."""
    ways = [way for rules in DIALECTS[dialect].tables.values() for way in rules]
    known = st.lists(st.tuples(st.sampled_from(ways), ANYTHING), max_size=12).map(_nested)
    return known | ANYTHING


def _documents(dialect: str) -> st.SearchStrategy[dict[str, Any]]:
    """Documents of a dialect with anything in them."""
    names, besides = st.text(max_size=24), st.dictionaries(st.text(max_size=4), ANYTHING)
    if dialect == "compose":
        services = st.dictionaries(names, _service(dialect), max_size=3)
        return st.builds(lambda rest, services: {**rest, "services": services}, besides, services)
    if dialect == "score":
        containers = st.dictionaries(names, _service(dialect), max_size=2)
        return st.builds(
            lambda rest, known, containers: {
                **rest,
                **(known if isinstance(known, dict) else {}),
                "containers": containers,
            },
            besides,
            _service(dialect),
            containers,
        )
    kinds = st.sampled_from([*copilot.PUBLIC, *copilot.PRIVATE, *copilot.NONE])
    over = st.none() | st.dictionaries(st.sampled_from(["prod", "test"]), _service(dialect), max_size=2)
    manifest = st.builds(_manifest, _service(dialect), kinds, over)
    return manifest | st.dictionaries(names, manifest, min_size=1, max_size=3)


def _manifest(fields: Any, kind: str, environments: Any) -> dict[str, Any]:
    known = {"environments": environments} if environments is not None else {}
    return {**(fields if isinstance(fields, dict) else {}), "type": kind, **known}


def _environment(document: Any) -> str | None:
    """Which one there is, if any."""
    return "prod" if '"prod":' in json.dumps(document, default=str) else None


class TestNothingIsLost:
    @settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
    @given(st.data())
    @pytest.mark.parametrize("dialect", DIALECTS)
    def test_each_value_has_one_line_and_each_service_is_one(self, dialect: str, data: st.DataObject) -> None:
        document = data.draw(_documents(dialect))
        environment = _environment(document) if data.draw(st.booleans()) else None
        try:
            drafts, report = DIALECTS[dialect].read(Given(document, environment=environment))
        except NoImport:
            reject()  # what is called so is no environment
        told = [each.steps for each in report.lines]
        for leaf in leaves_of(document):
            assert sum(leaf[: len(steps)] == steps for steps in told) == 1, leaf
        assert {each.verdict for each in report.lines} <= set(VERDICTS)
        assert len({each.name for each in drafts}) == len(drafts)
        for draft in drafts:
            assert "secrets" not in draft.values
            Service.model_validate_json(json.dumps({**draft.values, "secrets": dict.fromkeys(draft.secrets, "x")}))

    @pytest.mark.parametrize("dialect", DIALECTS)
    def test_whatever_our_tables_promise_is_a_field_of_ours(self, dialect: str) -> None:
        ours = {field.alias or name for name, field in Service.model_fields.items()} | {"services"}
        for rules in DIALECTS[dialect].tables.values():
            for rule in rules.values():
                assert bool(rule.to) == bool(rule.read)
                assert {each.partition(".")[0] for each in rule.to.split(", ") if each} <= ours


class TestHostileFiles:
    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (
                "services:\n\tweb: {}\n",
                "is not valid YAML: line 2 has a tab where YAML takes only spaces: put spaces in its place",
            ),
            (f"services: {'[' * 900}{']' * 900}\n", "has more than 100 maps and lists in one another: nest fewer"),
            ("services: &a\n  web: *a\n", "has an alias inside of what it stands for, from line 1 on: take it out"),
            ("services: {a: {}, a: {}}\n", "has the key a twice, in lines 1 and 1: take one out"),
            ("services:\n  web: !reset {}\n", "is not valid YAML: line 2, column 8: could not determine a constructor"),
            ("- web\n", "is not a map: want a file of Docker Compose"),
            ("", "is not a map: want a file of Docker Compose"),
            ("a: 1\n", "is in no dialect that is known by what is in it: say which with --as compose"),
            ("services: [web]\n", "has no service that can run here: services[0]: a service is a map"),
            (
                "services: {db: {image: postgres}}\n",
                "has no service that can run here: services.db: postgres keeps data",
            ),
            ("services: web\n", "has no service that can run here: services: only a map of services can be imported"),
        ],
    )
    def test_they_are_told_in_words(self, content: str, told: str, root: Path) -> None:
        done = run(put(root, content), code=1)
        assert done.stdout == ""
        assert f"Error: {root / 'compose.yaml'} {told}" in done.stderr

    def test_aliases_that_multiply(self, root: Path) -> None:
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
        assert (
            "has more than 100000 values, with those that its aliases repeat"
            in run(put(root, "\n".join(lines)), code=1).stderr
        )

    def test_a_folder_that_is_none_of_a_dialect(self, root: Path) -> None:
        told = "config has no manifest.yml in its folders: want one of Docker Compose, AWS Copilot, Score"
        assert told in run(root / "config", code=1).stderr

    def test_control_characters_of_keys_do_not_reach_the_terminal(self, root: Path) -> None:
        done = run(put(root, 'services: {web: {"x\\e[31m": 1}}\n'))
        assert "services.web" in done.stderr
        assert "\x1b" not in done.stderr


WEB = "services: {web: {ports: ['3000:3000'], environment: {API_TOKEN: hunter2, MODE: fast}}}\n"
NEW = """\
  shop:services:
    web:
      port: 3000
      env:
        MODE: fast
"""


class TestIntoAStack:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("", NEW),
            ("config:\n", NEW),
            ("config:\n  zones: 2 # two\n# the end\n", "  zones: 2 # two\n" + NEW + "# the end\n"),
            ("config:\r\n  zones: 2\r\n# end\r\n", "  zones: 2\n" + NEW + "# end\r\n"),
            ("config:\n  zones: 2", "  zones: 2\n" + NEW),
            (
                "config:\n  oci:\n    host: a\n\nencryptionsalt: x\n",
                "  oci:\n    host: a\n" + NEW + "\nencryptionsalt: x\n",
            ),
            ("config:\n  oci: {host: a} # ours\n", "  oci: {host: a} # ours\n" + NEW),
            ("config:\n  usage: |\n    a\n    b\n\n# end\n", "  usage: |\n    a\n    b\n\n" + NEW + "# end\n"),
        ],
    )
    def test_services_are_added_and_all_else_stays(self, before: str, after: str, root: Path) -> None:
        file = root / "config/Pulumi.dev.yaml"
        file.write_bytes(before.encode())
        done = run(put(root, WEB), "--stack", "dev")
        assert file.read_bytes().decode().removeprefix("config:").lstrip("\r") == f"\n{after}"
        assert done.stdout == ""
        assert "pulumi config set --secret --path services.web.secrets.API_TOKEN --stack dev\n" in done.stderr
        assert f"wrote web into {file}; `" in done.stderr
        assert done.stderr.endswith("doctor --stack dev` says what else is needed\n")
        assert StackFile(root, "dev").get("services") == {"web": {"port": 3000, "env": {"MODE": "fast"}}}

    @pytest.mark.parametrize("key", ["services", "shop:services"])
    def test_those_that_are_there_stay(self, key: str, root: Path) -> None:
        file = root / "config/Pulumi.dev.yaml"
        file.write_text(f"config:\n    {key}:\n        # ours\n        api: {{port: 9000}} # nine\n    zones: 2\n")
        run(put(root, WEB), "--stack", "dev")
        assert file.read_text(encoding="utf-8") == (
            f"config:\n    {key}:\n        # ours\n        api: {{port: 9000}} # nine\n"
            "        web:\n          port: 3000\n          env:\n            MODE: fast\n    zones: 2\n"
        )

    @pytest.mark.parametrize(
        ("before", "told"),
        [
            ("config:\n  services:\n    web: {port: 1}\n", "has web already, and nothing of it is changed"),
            ("config: {services: {api: {}}}\n", "is not in a form that this can add to"),
            ("config:\n  services: {api: {}}\n", "is not in a form that this can add to"),
            ("config:\n  services: {}\n", "is not in a form that this can add to"),
            ("config:\n  shop:services: text\n", "is not in a form that this can add to"),
        ],
    )
    def test_what_it_cannot_add_to_is_left_as_it_is(self, before: str, told: str, root: Path) -> None:
        file = root / "config/Pulumi.dev.yaml"
        file.write_text(before, encoding="utf-8")
        assert f"{file} {told}" in run(put(root, WEB), "--stack", "dev", code=1).stderr
        assert file.read_text(encoding="utf-8") == before

    def test_commands_of_stack_local_go_by_way_of_yard(self, root: Path) -> None:
        (root / "config/Pulumi.local.yaml").write_text("config:\n", encoding="utf-8")
        done = run(put(root, WEB), "--stack", "local", "--json")
        (found,) = json.loads(done.stdout)["commands"]
        assert found.endswith("yard pulumi config set --secret --path services.web.secrets.API_TOKEN --stack local")

    def test_a_stack_that_does_not_exist(self, root: Path) -> None:
        assert "there is no stack 'nope': config/ has " in run(put(root, WEB), "--stack", "nope", code=2).stderr

    def test_what_is_printed_is_a_file_of_a_stack(self, root: Path) -> None:
        (root / "config/Pulumi.new.yaml").write_text(run(put(root, WEB)).stdout, encoding="utf-8")
        assert StackFile(root, "new").get("services") == {"web": {"port": 3000, "env": {"MODE": "fast"}}}


def test_json_has_all_that_is_told(root: Path) -> None:
    found = json.loads(run(put(root, WEB), "--json").stdout)
    assert found == {
        "dialect": "compose",
        "services": {"web": {"port": 3000, "env": {"MODE": "fast"}}},
        "fields": [
            {
                "path": "services.web.ports[0]",
                "verdict": "translated",
                "to": "port",
                "why": "the port of the container; the URL has its own",
            },
            {
                "path": "services.web.environment.API_TOKEN",
                "verdict": "translated",
                "to": "secrets.API_TOKEN",
                "why": "a secret, and not written: a command below sets it",
            },
            {"path": "services.web.environment.MODE", "verdict": "honoured", "to": "env.MODE", "why": ""},
        ],
        "notes": [],
        "commands": ["pulumi config set --secret --path services.web.secrets.API_TOKEN"],
    }


def test_a_dialect_can_be_named(root: Path) -> None:
    assert run(put(root, WEB, "anything.txt"), "--as", "compose").stdout == text.text_of(
        {"web": {"port": 3000, "env": {"MODE": "fast"}}}
    )


MARKET = CASES / "copilot/market"


class TestEnvironments:
    @pytest.mark.parametrize("over", [{"environments": None}, {"environments": {"x": {}}, "cpu": 512}, {}, None, 5])
    def test_odd_environments_are_told_once(self, over: Any) -> None:
        document = {"type": "Backend Service", "cpu": 256, "environments": {"prod": over, "test": {}}}
        _, report = copilot.read(Given(document, environment="prod"))
        told = [each.steps for each in report.lines]
        assert all(sum(leaf[: len(steps)] == steps for steps in told) == 1 for leaf in leaves_of(document))

    def test_an_environments_values_stand_in_place_of_those_of_all(self, root: Path) -> None:
        found = json.loads(run(_copy(MARKET, root), "--environment", "prod", "--json").stdout)
        front = found["services"]["front"]
        assert front["replicas"] == {"min": 3, "max": 12, "cpu": 60}
        assert (front["cpu"], front["memory"], front["env"]) == (1, 2048, {"LOG_LEVEL": "warning"})
        told = {each["path"]: (each["verdict"], each["to"], each["why"]) for each in found["fields"]}
        assert told["front.count"] == ("dropped", "", "front.environments.prod.count stands in its place")
        assert told["front.environments.prod.count.range"] == ("translated", "replicas", "as `min` and `max`")
        assert told["front.environments.prod.variables.LOG_LEVEL"] == ("honoured", "env.LOG_LEVEL", "")
        assert told["front.environments.test.count"][0] == "dropped"

    def test_one_that_does_not_exist_names_those_that_do(self, root: Path) -> None:
        done = run(_copy(MARKET, root), "--environment", "stage", code=1)
        assert done.stderr == "Error: no manifest has an environment 'stage': there are prod, test\n"

    def test_an_image_from_elsewhere_takes_the_place_of_one_that_is_built(self, root: Path) -> None:
        image = f"a@sha256:{64 * '0'}"
        manifest = {
            "type": "Backend Service",
            "image": {"build": "Dockerfile"},
            "environments": {"prod": {"image": {"location": image}}},
        }
        found = json.loads(run(put(root, json.dumps(manifest)), "--environment", "prod", "--json").stdout)
        assert "build" not in next(iter(found["services"].values()))
        assert found["fields"][0]["path"] == "image.build"

    def test_a_dialect_without_any_says_so(self, root: Path) -> None:
        done = run(put(root, WEB), "--environment", "prod", code=1)
        assert "compose.yaml is of Docker Compose, which has no environments: leave --environment out" in done.stderr


def test_paths_of_a_manifest_begin_in_its_workspace(root: Path) -> None:
    (root / "app/copilot/api").mkdir(parents=True)
    manifest = put(
        root, '{"type": "Backend Service", "image": {"build": "api/Dockerfile"}}', "app/copilot/api/manifest.yml"
    )
    for path in (manifest, root / "app/copilot"):
        assert yaml.safe_load(run(path).stdout)["config"]["services"].popitem()[1]["build"]["context"] == "app/api"


@pytest.mark.parametrize("containers", [{}, {"main": None}, [], {"main": {"image": "postgres:16"}}])
def test_a_workload_without_a_service(containers: Any, root: Path) -> None:
    document = {"apiVersion": "score.dev/v1b1", "metadata": {"name": "api"}, "containers": containers}
    assert "has no service that can run here" in run(put(root, json.dumps(document)), code=1).stderr
