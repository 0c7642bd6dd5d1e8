"""The bundle's own workflow in a process of its own: on the images given, and never in the bundle's folder."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from scripts.errors import InputError
from scripts.foreign.training import OwnTraining, without_weights


def content(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return found.hexdigest()


def training(theirs: Any, folder: Path, **settings: Any) -> OwnTraining:
    records = theirs.source().records()
    own = {
        **{"records": [record for record in records if not record.get("split")][:4]},
        **{"selection": [record for record in records if record.get("split")][:2]},
        **{"folder": folder, "seed": 1, "epochs": 1, "device": "cpu", "threads": 1},
    }
    return OwnTraining(theirs.bundle(), **{**own, **settings})


@pytest.mark.slow
def test_it_trains_on_a_copy_with_a_seed(theirs: Any, tmp_path: Path) -> None:
    before, runs = content(theirs.folder), []
    for seed in (1, 2):
        own = training(theirs, tmp_path / "private" / "training", seed=seed)
        own.run()
        runs.append(own.chosen())
    assert content(theirs.folder) == before
    assert not (tmp_path / "private" / "training").exists()
    theirs.bundle().network().load_state_dict(runs[0])
    assert own.state.epoch == 1
    name = next(key for key in runs[0] if key.endswith("weight"))
    assert not torch.equal(runs[0][name], runs[1][name])


@pytest.mark.slow
def test_a_failure_is_one_line_and_leaves_the_log(theirs: Any, tmp_path: Path) -> None:
    path = theirs.folder / "configs" / "train.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["loss"]["_target_"] = "DiceNoLoss"
    path.write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(
        InputError, match=r"its own training ended with code 1: ModuleNotFoundError: .*DiceNoLoss"
    ) as found:
        training(theirs, tmp_path / "private" / "training").run()
    assert (tmp_path / "private" / "training" / "training.log").is_file()
    assert "\n" not in str(found.value)


def test_the_delivered_weights_are_not_there_to_begin_with(theirs: Any, tmp_path: Path) -> None:
    """A bundle that goes on from its own model would train members that know everybody."""
    (theirs.folder / "models" / "fold0.pt").write_bytes(b"")
    (theirs.folder / "models" / "README.md").write_text("", encoding="utf-8")
    without_weights(theirs.folder, tmp_path / "copy")
    assert [path.name for path in (tmp_path / "copy" / "models").iterdir()] == ["README.md"]
    assert (tmp_path / "copy" / "configs" / "train.json").read_bytes() == (
        theirs.folder / "configs" / "train.json"
    ).read_bytes()
