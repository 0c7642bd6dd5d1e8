"""Requests in a row on the phantom, with a pool that is renewed, beside retraining and beside one student for six.

make study STUDY=requests

Each request goes through `process`, as in a hospital: unlearn, verify, commit, renew. One that does not pass is
committed with a reason, so that the row goes on, and its verdict stands in the table.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from scripts.cohort.membership import Membership
from scripts.cohort.split_file import RecordedSplit
from scripts.record.keys import HospitalKeys
from scripts.record.register import Register, Row
from tests.studies import common
from tests.studies.recovery import SEEN, measured

COUNT = 12
FOLDER = common.WORK / "requests"
OTHER_SEED = 100  # of the retrained model by which forgetting is measured; the pool has the teacher's seed
SMALL = {"folds": 5, "near_duplicates": False, "surface": False}
# Fewer mock requests and members than the defaults: the row asks for them anew after each commit.
MEASURING = {"mock_requests": 16, "measure_members": 2}


def asked() -> list[str]:
    """Patients of the training set, in turn from each fold."""
    split = RecordedSplit.read(common.ROOT / "models" / "split.json")
    assert split is not None
    names = [f"p{number:03d}" for number in range(200)]
    folds: dict[int, list[str]] = {}
    for name in names:
        if (fold := split.fold.get(split.digest(name), -1)) >= 0:
            folds.setdefault(fold, []).append(name)
    return [folds[place % len(folds)][place // len(folds)] for place in range(COUNT)]


def write(path: Path, patients: Sequence[str], *, day: int = 1) -> Path:
    """A request."""
    rows = [f"{path.stem},patient,{one},2026-01-{day:02d},erasure_request" for one in patients]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["request_id,level,id,requested_on,ground", *rows]) + "\n", encoding="utf-8")
    return path


def site(renew_by: str) -> Path:
    """The delivered teacher and pool, qualified."""
    place = FOLDER / renew_by
    if not (place / "models").is_dir():
        shutil.copytree(common.ROOT / "models", place / "models")
        HospitalKeys.create(place / "keys")
    run_prepare(place)
    return place


def settings(place: Path) -> dict[str, Any]:
    return {**SMALL, **MEASURING, "model_dir": str(place / "models"), "reference_dir": str(place / "pool")}


def run_prepare(place: Path) -> None:
    if not (place / "models" / "qualification.json").is_file():
        start = time.process_time()
        common.run("prepare", {**settings(place), "output_dir": str(place / "prepared")})
        common.write_json(place / "prepared.json", {"cpu_seconds": time.process_time() - start})


def process(place: Path, renew_by: str) -> Row:
    """One pass over the inbox; the row of the last request."""
    own = {**settings(place), "inbox": str(place / "inbox"), "output_dir": str(place / "out"), "renew_by": renew_by}
    own |= {"tombstones": str(place / "tombstones.jsonl"), "key_dir": str(place / "keys"), "attacks": []}
    path = str(common.ROOT / "configs" / "process.yaml")
    base = {"bundle_root": str(common.ROOT), "progress": False, "threads": 1}
    try:
        common.run_workflow([path], run_id="process", overrides={**base, **own})
    except SystemExit:
        pass
    return Register.read(place / "out").rows[-1]


def answered(place: Path, number: int, patient: str, renew_by: str) -> dict[str, Any]:
    """The request of one patient from the inbox to its commit; verdict and cost."""
    name = f"r{number:02d}"
    done = place / f"{name}.json"
    if not done.is_file():
        start, wall = time.process_time(), time.monotonic()
        write(place / "inbox" / f"{name}.csv", [patient], day=number + 1)
        row = process(place, renew_by)
        found = {"outcome": row.outcome, "reason": row.reason, "by_hand": row.state == "verified"}
        if row.state == "verified":
            by_hand = {"output_dir": str(place / "out" / row.run), "request": str(place / "inbox" / f"{name}.csv")}
            by_hand |= {
                "model_dir": row.model,
                "next_dir": row.next,
                "override_reason": "a row of requests is measured",
            }
            kept = {"tombstones": str(place / "tombstones.jsonl"), "key_dir": str(place / "keys")}
            common.run("commit", {**by_hand, **kept})
            row = process(place, renew_by)
        assert row.state == "committed", row.reason
        found |= {
            "cpu_seconds": time.process_time() - start,
            "wall_seconds": time.monotonic() - wall,
            "model": row.next,
        }
        common.write_json(done, {**found, "still_known": known_by_pool(place, patient)})
    return common.read(done)


def known_by_pool(place: Path, patient: str) -> int:
    """Models of the pool that were trained on a patient and did not unlearn him."""
    paths = [*(place / "models").glob("model_fold*.pt"), *(place / "pool").glob("fold_out/*/model_fold*.pt")]
    memberships = [Membership.read(path) for path in paths]
    return sum(bool(membership is not None and membership.saw(patient)) for membership in memberships)


def state_after(place: Path, patients: Sequence[str], models: Mapping[str, Path]) -> dict[str, Any]:
    """Models beside two that were retrained without all of the patients: of the teacher's seed, and of another."""
    count = len(patients)
    request = write(FOLDER / "gone" / f"all{count:02d}.csv", patients)
    own = {**SMALL, "select": "last", "request": str(request), "seed": 0}
    twin = common.train(FOLDER / "retrained", f"twin{count:02d}", own)
    other = common.train(FOLDER / "retrained", f"other{count:02d}", {**own, "seed": OTHER_SEED})
    about = {**SMALL, "request": str(request), "model_dir": str(common.ROOT / "models")}
    found = measured(
        place / f"state{count:02d}", about, {}, {**models, "retrained": twin, "other": other}, attacks=SEEN
    )
    scores = {
        name: one["score"]["forget"] - one["score"]["validation"] for name, one in found.items() if "score" in one
    }
    for name in models:
        gap = scores["teacher"] - scores["other"]
        found[name]["forgotten_fraction"] = (scores["teacher"] - scores[name]) / gap
    return found


@pytest.mark.study
@pytest.mark.parametrize("renew_by", ["retrain", "unlearn"])
def test_in_a_row(renew_by: str) -> None:
    place, patients = site(renew_by), asked()
    count = COUNT if renew_by == "retrain" else 3
    rows: list[dict[str, Any]] = []
    for number, patient in enumerate(patients[:count]):
        rows.append(answered(place, number, patient, renew_by))
        student = Path(rows[-1]["model"]) / "model.pt"
        rows[-1]["state"] = state_after(place, patients[: number + 1], {"student": student})
        common.save(f"requests/phantom_{renew_by}", {"rows": rows, "preparation": common.read(place / "prepared.json")})
    assert all(row["still_known"] == 0 for row in rows)


@pytest.mark.study
def test_six_at_once() -> None:
    """One student for the first six, beside the sixth of the row."""
    place, patients = site("retrain"), asked()[:6]
    request = write(place / "six.csv", patients)
    own = {**SMALL, "model_dir": str(common.ROOT / "models"), "request": str(request), "output_dir": str(place / "six")}
    if not (place / "six" / "release" / "student.pt").is_file():
        common.run("forget", own)
    models = {"batch": place / "six" / "release" / "student.pt"}
    found = state_after(FOLDER / "batch", patients, models)
    seconds = common.read(place / "six" / "release" / "timing.json")["forget"]["cpu_seconds"]
    common.save("requests/phantom_six", {"state": found, "cpu_seconds": seconds})
    assert found["batch"]["forgotten_fraction"] > 0
