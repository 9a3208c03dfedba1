"""YAML that nobody should have written: told in words and in time, by whoever reads a file of the user's."""

import re
import time
from pathlib import Path

import pytest

from config.stack_file import BadStack, StackFile
from config.usage_file import BadUsage
from config.usage_file import read as read_usage
from config.yaml_text import PLAIN_LOADER, BadYaml, read
from tests.program import SERVICE
from tests.unit.test_settings import BASE, complaint

ALIASES = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12))]
)
CHAIN = "\n".join(["a0: &a0 []", *(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 2000))])
BAD = {
    "a tab": ("config:\n\tkey: 1\n", "is not valid YAML: line 2 has a tab where YAML takes only spaces: put spaces"),
    "a tab after spaces": ("a:\n  b: 1\n \tc: 2\n", "is not valid YAML: line 3 has a tab where YAML takes only spaces"),
    "an open quote": ("a: 1\nb: 'c\n", "is not valid YAML: line 2 opens a quote that is never closed"),
    "a key twice": ("a:\n  b: 1\n  c: 2\n  b: 3\n", "has the key b twice, in lines 2 and 4: take one out"),
    "aliases that multiply": (ALIASES, "has more than 100000 values, with those that its aliases repeat"),
    "aliases that repeat": (
        "a: &a [1, 2, 3, 4, 5, 6]\nb: [" + "*a, " * 3000 + "]",
        "has aliases that repeat more than 20000",
    ),
    "a number that no key takes": (f"a: {'9' * 5000}", "is not valid YAML: it has a number with thousands of digits"),
    "aliases that lengthen": (CHAIN, "has more than 100 maps and lists in one another"),
    "a map that holds itself": (
        "a: &a\n  b: *a\n",
        "has an alias inside of what it stands for, from line 1 on: take it out",
    ),
    "a list that holds itself": ("a: &a [[*a]]\n", "has an alias inside of what it stands for, from line 1 on"),
    "900 levels": (f"a: {'[' * 900}{']' * 900}\n", "has more than 100 maps and lists in one another: nest fewer"),
    "99999 levels": (f"a: {'[' * 99999}{']' * 99999}\n", "has more than 100 maps and lists in one another"),
    "a day that is not": ("a: 2026-02-30", "is not valid YAML: "),
    "no text": ("a: caf\udce9", "is not text in UTF-8, so save it as such"),
}


@pytest.mark.parametrize(("text", "told"), BAD.values(), ids=BAD)
def test_bad_yaml_is_told_in_words_and_in_time(text: str, told: str, tmp_path: Path) -> None:
    since = time.monotonic()
    written = text.encode("utf-8", "surrogateescape")
    with pytest.raises(BadYaml) as error:
        read(written)
    assert str(error.value).startswith(told)
    (tmp_path / "config").mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: switchyard", encoding="utf-8")
    (tmp_path / "config" / "Pulumi.dev.yaml").write_bytes(written)
    with pytest.raises(BadStack) as stack:
        StackFile(tmp_path, "dev")
    assert str(stack.value) == f"{tmp_path / 'config' / 'Pulumi.dev.yaml'} {error.value}"
    (tmp_path / "usage.yaml").write_bytes(written)
    with pytest.raises(BadUsage) as usage:
        read_usage(str(tmp_path / "usage.yaml"))
    assert str(usage.value) == f"{tmp_path / 'usage.yaml'} {error.value}"
    assert time.monotonic() - since < 5


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# nothing\n", None),
        ("a: &x {b: 1, c: 2}\nd: {<<: *x, b: 3}\n", {"a": {"b": 1, "c": 2}, "d": {"b": 3, "c": 2}}),
        ("a: =\n1: x\n'1': y\n", {"a": "=", 1: "x", "1": "y"}),
    ],
)
def test_good_yaml_is_read(text: str, value: object) -> None:
    assert read(text.encode()) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on: yes", {"on": "yes"}),
        (
            "[22:22, 012, 0x1f, 1_000, 2026-01-01, =, .nan]",
            ["22:22", "012", "0x1f", "1_000", "2026-01-01", "=", ".nan"],
        ),
        ("[12, -3, +4, 0, 1.50, .5, true, FALSE, ~, null, '']", [12, -3, 4, 0, 1.5, 0.5, True, False, None, None, ""]),
        ("{a: &x {b: 1}, c: {<<: *x}}", {"a": {"b": 1}, "c": {"b": 1}}),
    ],
)
def test_files_that_are_not_pulumis_are_read_as_go_does(text: str, value: object) -> None:
    assert read(text.encode(), PLAIN_LOADER) == value


def test_a_hundred_levels_are_enough() -> None:
    assert read(f"{'[' * 100}x{']' * 100}".encode())
    with pytest.raises(BadYaml):
        read(f"{'[' * 101}{']' * 101}".encode())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_it_is_read_in_the_encodings_of_yaml(encoding: str) -> None:
    assert read("a: é".encode(encoding)) == {"a": "é"}


def test_a_key_outside_of_config_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: switchyard", encoding="utf-8")
    file = tmp_path / "config" / "Pulumi.dev.yaml"
    file.write_text("encryptionsalt: v1\nconfig: {}\nswitchyard:registry: ecr\nzones: 3\n", encoding="utf-8")
    with pytest.raises(BadStack) as error:
        StackFile(tmp_path, "dev")
    assert str(error.value) == (
        f"{file} has switchyard:registry, zones outside `config`, where nobody reads it: move it there"
    )
    assert StackFile(tmp_path, "dev", lenient=True).values == {}


def test_of_a_great_many_mistakes_the_first_are_told_and_that_there_are_more() -> None:
    services = {f"s{place}": {**SERVICE, "port": "x", "path": f"/{place}"} for place in range(150)}
    unknown = {f"k{place}": 1 for place in range(150)}
    for many in ({"services": services}, unknown, {"services": {key: SERVICE for key in services}}):
        said = complaint({**BASE, **many})
        assert said.startswith("more than 100 things need a change in the stack's configuration; nothing was made.")
        assert len(re.findall(r"; want |: .* below ", said)) == 100
