"""What a bundle's own configs come to, and what is refused where one lacks it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from scripts.errors import InputError
from scripts.student.teacher import load_teacher
from tests.foreign.bundles import SHAPES

TASKS = {
    "spleen_like_ct_segmentation": ("multiclass_segmentation", 3, ("organ",)),
    "parts_deep_supervision_segmentation": ("multiclass_segmentation", 3, ("core", "rim")),
    "parts_transformer_segmentation": ("multiclass_segmentation", 2, ("core", "rim")),
    "colour_picture_segmentation": ("segmentation", 2, ("organ",)),
    "core_classification": ("classification", 2, ("without", "with core")),
    "own_package_segmentation": ("segmentation", 3, ("organ",)),
}


def change(path: Path, change_it: Callable[[dict[str, Any]], Any]) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change_it(content)
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize("name", SHAPES)
def test_the_settings_follow_from_the_configs(written: Any, name: str) -> None:
    bundle = written(name).bundle()
    task, dims, classes = TASKS[name]
    assert (bundle.task, bundle.spatial_dims, bundle.classes) == (task, dims, classes)
    assert bundle.settings["out_channels"] == SHAPES[name].outputs
    assert bundle.settings["in_channels"] == SHAPES[name].channels
    assert isinstance(bundle.network(), torch.nn.Module)


def test_a_package_of_its_own_does_not_meet_ours(written: Any) -> None:
    import scripts

    before = scripts.__file__
    network = written("own_package_segmentation").bundle().network()
    assert type(network).__name__ == "OrganNet"
    import scripts.foreign.bundle as ours

    assert scripts.__file__ == before
    assert ours.__file__ is not None
    assert Path(ours.__file__).is_relative_to(Path(before or "").parent)
    assert not list(written("own_package_segmentation").folder.rglob("__pycache__"))


@pytest.mark.parametrize("key", ["network_def", "train"])
def test_a_key_that_is_missing_is_named(theirs: Any, key: str) -> None:
    change(theirs.folder / "configs" / "train.json", lambda content: content.pop(key))
    with pytest.raises(InputError, match=rf"train\.json: lacks '{key}"):
        theirs.bundle()


def test_a_part_that_cannot_be_made_is_named(theirs: Any) -> None:
    change(theirs.folder / "configs" / "train.json", lambda content: content["network_def"].update(channels=[4]))
    with pytest.raises(InputError, match=r"train\.json: network_def: cannot be made \("):
        theirs.bundle().network()


def test_metadata_without_the_network(theirs: Any) -> None:
    change(theirs.folder / "configs" / "metadata.json", lambda content: content.pop("network_data_format"))
    with pytest.raises(InputError, match="lacks 'network_data_format'"):
        theirs.bundle()


def test_an_activation_that_stands_nowhere_is_asked_for(theirs: Any) -> None:
    def dumb(content: dict[str, Any]) -> None:
        content["postprocessing"] = {"_target_": "Compose", "transforms": []}
        if "loss" in content:
            content["loss"] = {"_target_": "torch.nn.MSELoss"}
            content["validate"]["postprocessing"] = content["postprocessing"]

    for name in ("train", "inference"):
        change(theirs.folder / "configs" / f"{name}.json", dumb)
    with pytest.raises(InputError, match="give --task segmentation"):
        theirs.bundle().task  # noqa: B018
    assert theirs.bundle(task="multiclass_segmentation").task == "multiclass_segmentation"
    with pytest.raises(InputError, match="task: classification"):
        theirs.bundle(task="classification").task  # noqa: B018


def test_code_in_its_checkpoint_is_refused(theirs: Any, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (open, (str(tmp_path / "canary"), "w"))

    torch.save({"weight": Evil()}, theirs.folder / "models" / "model.pt")
    with pytest.raises(InputError, match=r"model\.pt"):
        load_teacher(theirs.bundle().network(), theirs.bundle().folder.checkpoint)
    assert not (tmp_path / "canary").exists()
