"""What people are likely to write, as they write it, and the whole message that each gets: likely_mistakes.txt,
and docs/mistakes.md, which `make docs` makes of it."""

from pathlib import Path

import pytest
import yaml

from config.load import of_file
from config.problems import BadConfig
from config.stack_file import BadStack, StackFile
from tools import mistakes

MISTAKES = mistakes.read()
RIGHT = {"aws:region": "us-east-1", "services": {"api": {}}}
"""What a stack has besides, unless the text is a whole file."""


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda each: each.title)
def test_a_likely_mistake_is_told(mistake: mistakes.Mistake, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: switchyard\nruntime: python\n", encoding="utf-8")
    whole = mistake.written.startswith("config:")
    text = f"{mistake.written}\n" if whole else yaml.safe_dump({"config": {**RIGHT, **yaml.safe_load(mistake.written)}})
    (tmp_path / "config/Pulumi.dev.yaml").write_text(text, encoding="utf-8")
    with pytest.raises((BadConfig, BadStack)) as error:
        of_file(StackFile(tmp_path, "dev"))
    said = str(error.value).replace(f"{tmp_path}/", "")
    if isinstance(error.value, BadConfig):
        first, _, said = said.partition("\n")
        count = len([line for line in said.splitlines() if line.startswith("  ") and line[2] != " "])
        assert first.startswith("one thing needs a change" if count == 1 else f"{count} things need a change")
    assert said == mistake.told


def test_there_are_sixty_of_them() -> None:
    assert len(MISTAKES) >= 60
