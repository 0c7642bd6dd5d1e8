"""The jobs of a pool follow the method by which the delivered student was made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scripts.identity import Identity
from scripts.record.phase import made_by
from scripts.record.run_folder import RunFolder
from scripts.references.pairs import Pairs
from scripts.settings.given import Settings
from tests.commands.common import ROOT

CONTENTS = {name: {"p1": {"i1": "digest"}} for name in ("forget", "retain", "selection")}


def pairs(folder: Path, making: dict[str, dict[str, Any]], **given: Any) -> Pairs:
    settings = Settings("references", {"request": "r.csv", "folds": 2, **given}, given=given)
    return Pairs(
        config_dir=ROOT / "configs",
        folder=folder,
        settings=settings,
        contents=CONTENTS,
        fold_dir=folder,
        teacher=folder / "model.pt",
        split_dir=folder,
        first_seed=1000,
        making=making,
    )


def test_steps_are_the_phases_of_the_method_with_its_recipe(tmp_path: Path) -> None:
    job = pairs(tmp_path, {"forget": {"method": "fold_start", "retain_batch": 12}}).unlearned(0)
    (step,) = job.steps
    assert Path(step.workflow).name == "forget.yaml"
    assert (step.settings["method"], step.settings["retain_batch"]) == ("fold_start", 12)
    both = pairs(tmp_path, {"forget": {"method": "erase_to_retain"}, "restore": {}}).unlearned(0)
    assert [Path(step.workflow).name for step in both.steps] == ["forget.yaml", "restore.yaml"]
    assert both.key != job.key


def test_what_was_given_stands_above_what_the_method_found(tmp_path: Path) -> None:
    making = {"forget": {"method": "fold_start", "retain_batch": 12}}
    own = pairs(tmp_path, making, retain_batch=5, method="auto").unlearned(0).steps[0].settings
    assert (own["method"], own["retain_batch"]) == ("fold_start", 5)
    assert pairs(tmp_path, making).unlearned(0).key != pairs(tmp_path, making, retain_batch=5).unlearned(0).key


@pytest.mark.parametrize("phases", [["forget"], ["forget", "restore"]])
def test_the_run_says_how_its_student_was_made(tmp_path: Path, phases: list[str]) -> None:
    from scripts.files import write_json

    folder = RunFolder(output_dir=tmp_path, log=False)
    folder.note(state="trial", method="fold_start", phases=phases)
    procedure = {"method": "fold_start", "retain_batch": 12, "image_size": 64, "lora_rank": None}
    identity = Identity(procedure=procedure)
    write_json(folder.identity, {"forget": {**identity.as_dict(), "done": True}})
    found = made_by(folder)
    assert list(found) == phases
    assert found["forget"] == {"method": "fold_start", "retain_batch": 12}


def test_a_run_that_names_no_phases_was_made_by_both(tmp_path: Path) -> None:
    assert made_by(RunFolder(output_dir=tmp_path, log=False)) == {"forget": {}, "restore": {}}
