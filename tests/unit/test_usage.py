"""A month as a user says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.testing.cloud import Cloud
from components.testing.engine import start
from components.usage import PRESETS, Usage
from config.load import load
from config.problems import BadConfig
from config.usage_file import BadUsage, read
from tests.program import as_pulumi, config_for


class TestUsage:
    def test_a_preset_fills_in_what_is_not_said(self) -> None:
        said = Usage.model_validate({"preset": "large", "deploys": 1})
        assert (said.deploys, said.image_size, said.logs) == (1, 500, 300)
        assert Usage.model_validate({}) == Usage.model_validate({"preset": "small"})

    def test_presets_grow(self) -> None:
        small, medium, large = PRESETS.values()
        assert all(small[field] < medium[field] < large[field] for field in small)

    def test_the_key_is_validated_like_the_rest_and_all_at_once(self) -> None:
        wrong = {"deploys": -1, "image-sise": 200, "preset": "huge", "load": 2, "hours": "all"}
        start(Cloud(), as_pulumi({**config_for("ecr", "ecs-fargate"), "usage": wrong}))
        with pytest.raises(BadConfig) as error:
            load()
        text = str(error.value)
        assert text.startswith("5 things need a change")
        assert "usage.deploys is -1; want at least 0" in text
        assert "usage.image-sise is unknown" in text
        assert "did you mean image-size?" in text
        assert "usage.preset is 'huge'; want one of small, medium, large" in text
        assert "usage.load is 2; want at most 1" in text
        assert "usage.hours is 'all'; want a number" in text


class TestUsageFile:
    def test_a_presets_name_is_enough(self) -> None:
        assert read("medium") == Usage.model_validate({"preset": "medium"})

    @pytest.mark.parametrize(
        ("text", "deploys"), [("deploys: 7", 7), ("{preset: large}", 200), ("", 20), ("# nothing yet", 20)]
    )
    def test_a_file_says_what_the_key_says(self, tmp_path: Path, text: str, deploys: int) -> None:
        file = tmp_path / "usage.yaml"
        file.write_text(text, encoding="utf-8")
        assert read(str(file)).deploys == deploys

    def test_all_that_is_wrong_in_it_is_said(self, tmp_path: Path) -> None:
        file = tmp_path / "usage.yaml"
        file.write_text("{deploys: -1, request: 5, hours: .nan}", encoding="utf-8")
        with pytest.raises(BadUsage) as error:
            read(str(file))
        assert str(error.value).startswith(f"{file} needs a change:\n")
        assert "usage.deploys is -1; want at least 0" in str(error.value)
        assert "did you mean requests?" in str(error.value)
        assert "usage.hours" in str(error.value)
        assert f"edit {file}" in str(error.value)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("[1, 2]", "want a map"),
            ("0", "want a map"),
            ("deploys: 2026-01-01", "want a map of plain values"),
            ("{deploys: ", "is not valid YAML"),
        ],
    )
    def test_what_is_no_usage_is_told(self, tmp_path: Path, text: str, said: str) -> None:
        file = tmp_path / "usage.yaml"
        file.write_text(text, encoding="utf-8")
        with pytest.raises(BadUsage, match=said):
            read(str(file))

    def test_a_name_of_nothing_brings_the_nearest_preset(self) -> None:
        with pytest.raises(
            BadUsage, match=r"^smal is neither a file nor a preset: small, medium, large; did you mean small\?$"
        ):
            read("smal")
