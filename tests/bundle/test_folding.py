"""Folding an overlay: the same as MONAI's own merge, with comments kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from bundle.folding import fold
from monai.bundle import ConfigParser
from scripts.errors import InputError

WORKFLOW = """\
# what it does
dataset_name: phantom           # which data set
image_size: 64                  # pixels
output_dir: ""                  # where
shift: [1, 2]                   # two numbers
rate: 2.0e-3                    # step
root: "$@bundle_root + '/a'"    # with: colon and # hash inside? no
bare: none
train:
  trainer:
    max_epochs: 3
    name: "@dataset_name"
run: "$@train::trainer"
"""
OVERLAY = """\
dataset_name: chase
image_size: [256, 192]
output_dir: "eval/it's: here"
shift: [3]
rate: 1.0e-4
root: "@output_dir"
bare: 0.5
train::trainer::max_epochs: 7
observer: 2
"""


def test_folded_equals_merged(tmp_path: Path) -> None:
    (tmp_path / "workflow.yaml").write_text(WORKFLOW)
    (tmp_path / "overlay.yaml").write_text(OVERLAY.replace("observer: 2\n", ""))
    folded = fold(WORKFLOW, yaml.safe_load(OVERLAY), where="overlay.yaml")
    (tmp_path / "folded.yaml").write_text(folded)
    merged = ConfigParser.load_config_files([str(tmp_path / name) for name in ("workflow.yaml", "overlay.yaml")])
    assert ConfigParser.load_config_files([str(tmp_path / "folded.yaml")]) == merged
    assert merged["train"]["trainer"] == {"max_epochs": 7, "name": "@dataset_name"}


def test_comments_and_foreign_keys() -> None:
    folded = fold(WORKFLOW, yaml.safe_load(OVERLAY), where="overlay.yaml")
    for comment in ("# what it does", "# which data set", "# pixels", "# where", "# two numbers", "# step"):
        assert comment in folded
    assert "observer" not in folded


def test_nothing_to_fold_changes_nothing() -> None:
    assert fold(WORKFLOW, {"observer": 1}, where="overlay.yaml") == WORKFLOW


@pytest.mark.parametrize("overlay", [{"image_size": {"rows": 3}}, {"train": 3}])
def test_what_would_replace_a_dict_is_refused(overlay: dict[str, object]) -> None:
    with pytest.raises(InputError, match="overlay.yaml"):
        fold(WORKFLOW, overlay, where="overlay.yaml")
