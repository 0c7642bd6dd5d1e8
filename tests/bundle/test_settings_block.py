"""The settings on top of the workflow files, and their table, are what `scripts/settings` says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from bundle.settings_block import settings_block, with_settings, write_settings
from scripts.errors import InputError
from scripts.settings import SETTINGS
from scripts.settings.workflows import WORKFLOWS


def test_the_files_are_up_to_date(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    for path in (repository / "configs").glob("*.yaml"):
        (tmp_path / "configs" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "docs").mkdir()
    for name in ("SETTINGS.md", "METHODS.md"):
        (tmp_path / "docs" / name).write_bytes((repository / "docs" / name).read_bytes())
    assert write_settings(tmp_path) == [], "run `python -m bundle settings`"


@pytest.mark.parametrize("workflow", sorted(WORKFLOWS))
def test_a_block_is_yaml_with_the_defaults(workflow: str) -> None:
    own = WORKFLOWS[workflow]
    assert yaml.safe_load(settings_block(workflow)) == {
        name: own.defaults.get(name, SETTINGS[name].default) for name in own.names
    }


def test_every_setting_stands_in_a_workflow() -> None:
    assert {name for workflow in WORKFLOWS.values() for name in workflow.names} == set(SETTINGS)


def test_a_file_without_the_marks_is_named() -> None:
    with pytest.raises(InputError, match="train.yaml: the lines"):
        with_settings("a: 1\n", "train", where="train.yaml")
