"""A pool of pairs made for a run, resumed, and judged: the commands as an operator gives them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.commands.common import FOLDS, FORGET, FORGOTTEN, RESTORE, SMALL, front_end, once, read, run

PAIRS = 4
# One epoch, three steps: what the models know does not matter here, that they are made as they should be does.
MADE = {
    **SMALL,
    **{key: FORGET[key] for key in ("amp", "lora_rank", "forget_learning_rate", "forget_lr_schedule", "retain_batch")},
    **{"steps_per_round": 3, "min_rounds": 1, "max_rounds": 1, "near_duplicates": False},
    **{key: RESTORE[key] for key in ("restore_steps", "restore_batch")},
    **{"restore_epochs": 1, "batch_size": 32, "epochs": 1, "validate_every": 1},
}

# The fixture has tried the attacks.
UNATTACKED = {"recovery": [], "relearning_steps": 0, "overlays": 0}


def settings(folder: Path, **changes: Any) -> dict[str, Any]:
    return {
        **MADE,
        "request": str(folder / "request.csv"),
        "model_dir": str(folder / "models"),
        "output_dir": str(folder / "run"),
        "reference_dir": str(folder / "references"),
        "reference_pairs": PAIRS,
        **changes,
    }


def known(name: str, values: dict[str, Any]) -> dict[str, Any]:
    from tests.studies.common import known as filtered

    return filtered(name, values)


@pytest.fixture(scope="session")
def referenced(shared: Path, finished: Path) -> Path:
    """A teacher of the pool's own kind, a student, and a pool of four pairs with its scores."""
    folder = shared / "referenced"
    with once(folder) as todo:
        if todo:
            folder.mkdir()
            shutil.copy(finished / "request.csv", folder)
            own = settings(folder)
            for fold in range(-1, FOLDS):
                made = {**own, "output_dir": str(folder / "models" / "run"), "request": "", "fold": fold, "seed": 5}
                run("train", known("train", made), run_id="single")
            for name in ("forget", "restore"):
                run(name, known(name, own))
            code, errors = front_end("references", own)
            assert code == 0, errors
    return folder


@pytest.fixture
def copied(referenced: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    target = tmp_path / "copy"
    shutil.copytree(referenced, target)
    return target


def models(folder: Path) -> dict[Path, int]:
    """The models of the pool and when they were written."""
    found = (folder / "references").rglob("*.pt")
    return {path: path.stat().st_mtime_ns for path in found if "checkpoints" not in path.parts}


def test_every_pair_has_its_models_and_scores(referenced: Path) -> None:
    scores = read(referenced / "run" / "private" / "scores.json")
    assert {kind: len(found) for kind, found in scores["models"].items()} == {
        "original": PAIRS,
        "retrained": PAIRS,
        "unlearned": PAIRS,
    }
    digests = [model["digest"] for found in scores["models"].values() for model in found]
    assert len(set(digests)) == 3 * PAIRS
    assert set(scores["sets"]["forget"]["patients"]) == set(FORGOTTEN)
    pictures = referenced / "run" / "private" / "overlays"
    assert {path.name for path in pictures.iterdir()} >= {"forget.png", "validation.png", "test.png"}
    made = read(referenced / "run" / "release" / "references.json")
    assert made["pairs"] == PAIRS and all(len(found) == PAIRS for found in made["seconds"].values())


def test_again_makes_nothing_and_what_is_missing_is_made_the_same(copied: Path) -> None:
    """Side by side in two processes, as one process made them."""
    before = models(copied)
    lost = sorted((copied / "references" / "retrained").iterdir())[:2]
    weights = [(folder / "model.pt").read_bytes() for folder in lost]
    for folder in lost:
        shutil.rmtree(folder)
    code, errors = front_end("references", settings(copied, **UNATTACKED, reference_workers=2))
    assert code == 0, errors
    after = models(copied)
    assert {path for path in after if after[path] != before[path]} == {folder / "model.pt" for folder in lost}
    assert [(folder / "model.pt").read_bytes() for folder in lost] == weights


def test_changed_models_are_refused(copied: Path) -> None:
    first = sorted((copied / "references" / "originals").iterdir())[0]
    other = sorted((copied / "references" / "originals").iterdir())[1]
    shutil.copy(other / "model.pt", first / "model.pt")
    code, errors = front_end("references", settings(copied))
    assert code == 2 and f"{first / 'model.pt'}: is not what was trained" in errors
    (first / "done.json").write_text("{")
    code, errors = front_end("references", settings(copied))
    assert code == 2 and "done.json: is damaged, not the JSON" in errors
    shutil.copy(other / "done.json", first / "done.json")
    code, errors = front_end("references", settings(copied))
    assert code == 2 and "done.json: is of another model" in errors


def test_the_pool_is_judged_and_nothing_of_patients_is_told(copied: Path) -> None:
    own = settings(copied)
    code, errors = front_end("verify", known("verify", own))
    verdict = read(copied / "run" / "release" / "verdict.json")
    assert code == verdict["exit_code"] and verdict["outcome"] != "PASS" and code in (3, 4, 5), errors
    checks = {check["name"]: check for check in verdict["checks"]}
    assert checks["made alike"]["met"], checks["made alike"]["detail"]
    assert verdict["evidence"]["pairs"] == PAIRS
    ids = [*FORGOTTEN, "phantom-0"]
    for path in (copied / "run" / "release").rglob("*"):
        assert path.is_dir() or not any(name.encode() in path.read_bytes() for name in ids), path


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reference_pairs": 3}, "reference_pairs: 3 is not allowed; allowed: 0, or from 4"),
        ({"reference_workers": 0}, "reference_workers: '0' is not allowed; allowed: a whole number from 1"),
        ({"reference_backend": "cluster"}, "reference_backend: 'cluster' is not allowed; allowed: local | ray"),
        ({"epoch": 3}, "unknown key 'epoch'; did you mean 'epochs'?"),
    ],
)
def test_refused(copied: Path, changes: dict[str, Any], said: str) -> None:
    shutil.rmtree(copied / "references")
    code, errors = front_end("references", settings(copied, **changes))
    assert code == 2 and said in errors
    assert not (copied / "references").exists()


def test_without_a_student_there_is_nothing_to_refer_to(copied: Path) -> None:
    (copied / "run" / "release" / "student.pt").unlink()
    code, errors = front_end("references", settings(copied))
    assert code == 6 and "student.pt is not the student that the run wrote" in errors


def test_a_pilot_plans_and_says_so(copied: Path) -> None:
    """Models of one epoch know nothing of their patients: the plan is beyond any budget, the pilot is scored."""
    planned = {"reference_pairs": 0, "reference_pilot": 4, "reference_budget": 4}
    code, errors = front_end("references", settings(copied, **UNATTACKED, **planned))
    assert code == 0, errors
    plan = read(copied / "run" / "release" / "references.json")["plan"]
    assert plan["budget"] == 4 and plan["affordable"] == (plan["pairs"] is not None and plan["pairs"] <= 4)
    json.dumps(plan, allow_nan=False)


def study(folder: Path, **changes: Any) -> dict[str, Any]:
    own = settings(folder, study_pairs=PAIRS, output_dir=str(folder / "study"))
    del own["reference_pairs"]
    return own | {"study_controls": ["true retrain", "original", "half", "over", "background"], **changes}


def test_the_verifier_is_measured_on_models_of_known_truth(copied: Path) -> None:
    before = models(copied)
    code, errors = front_end("verifier_study", study(copied))
    assert code == 0, errors
    found = read(copied / "study" / "release" / "verifier.json")
    assert found["pairs"] == found["block"] == PAIRS
    assert set(found["controls"]) == {"true retrain", "original", "half", "over", "background"}
    for row in found["controls"].values():
        assert sum(outcome["count"] for outcome in row["outcomes"].values()) == 1
    assert found["controls"]["original"]["outcomes"]["PASS"]["count"] == 0
    after = models(copied)
    # Originals and retrained models of the run serve the study; four controls have models of their own.
    assert all(after[path] == time for path, time in before.items())
    kinds = {path.relative_to(copied / "references").parts[0] for path in after.keys() - before.keys()}
    assert kinds == {"retrained", "half", "over", "background"}
    digests = {path.read_bytes() for path in after if path.name == "model.pt"}
    assert len(digests) == sum(path.name == "model.pt" for path in after)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"study_pairs": 3}, "study_pairs: '3' is not allowed; allowed: a whole number from 4"),
        (
            {"study_controls": ["origin"]},
            "study_controls: '['origin']' is not allowed; allowed: a list of names, true retrain | original",
        ),
        ({"study_blocks": 0}, "study_blocks: '0' is not allowed; allowed: a whole number from 1"),
    ],
)
def test_a_study_that_cannot_be(copied: Path, changes: dict[str, Any], said: str) -> None:
    code, errors = front_end("verifier_study", study(copied, **changes))
    assert code == 2 and said in errors
