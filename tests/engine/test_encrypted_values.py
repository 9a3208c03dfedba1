"""What Pulumi itself hands to the program of an encrypted value."""

from pathlib import Path

import pytest

from config import place as places
from tests.program import config_for
from tests.stack import Stack
from yard import engine

VALUE = "correct-horse-battery"
ENV = "switchyard:services.api.env.TOKEN"


@pytest.mark.parametrize("there", [True, False], ids=["its file in its place", "its file elsewhere"])
def test_where_no_secret_belongs_it_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    place = tmp_path / "project"
    stack = Stack(place, {}, config_for("oci", "swarm"), {ENV: VALUE})
    monkeypatch.setattr(places, "project", lambda: place if there else tmp_path)
    with pytest.raises(engine.EngineError) as error:
        stack.up()
    key = ENV if there else "switchyard:services"
    assert f"{key} is encrypted; want " in str(error.value)
    assert VALUE not in str(error.value)
    assert VALUE not in stack.saved()
