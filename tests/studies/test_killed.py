"""`process` ended by kill -9 at moments spread over its time: the same command ends with the same models.

make study STUDY=killed
"""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from scripts.attacks.quantisation import Quantised
from scripts.pool import preparation
from scripts.pool.mock_scoring import MockScoring
from scripts.record.check import check_release
from scripts.record.keys import HospitalKeys
from scripts.record.register import Register
from tests.commands.common import EXACT, FOLDS, SMALL, pool_settings, run, start
from tests.commands.test_prepare import CANDIDATES, settings
from tests.studies import common

PATIENT = "p019"  # of no measurable influence on models of one epoch, which is enough here for a commit
MOMENTS = (0.15, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # of the time that it takes
FOLDER = common.WORK / "killed"


def prepared() -> Path:
    folder = FOLDER / "prepared"
    if not (folder / "models" / "qualification.json").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        for fold in range(-1, FOLDS):
            run("train", pool_settings(folder / "models", fold=fold), run_id="single")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(preparation, "candidates", lambda batch: (CANDIDATES[0], CANDIDATES[2]))
            patch.setattr(MockScoring, "attacks", lambda self, without: {"int8": Quantised(8)})
            run("prepare", settings(folder, mock_requests=16, measure_members=2, calibration_requests=1))
    return folder


def site(name: str) -> Path:
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(prepared(), folder)
    HospitalKeys.create(folder / "keys")
    (folder / "inbox").mkdir()
    row = f"one,patient,{PATIENT},2026-03-02,erasure_request"
    (folder / "inbox" / "one.csv").write_text(f"request_id,level,id,requested_on,ground\n{row}\n")
    return folder


def own(folder: Path) -> dict[str, Any]:
    made = {**settings(folder, measure_members=2), **SMALL, **EXACT}
    kept = {"tombstones": str(folder / "tombstones.jsonl"), "key_dir": str(folder / "keys")}
    about = {"inbox": str(folder / "inbox"), "output_dir": str(folder / "out"), "accept_no_influence": True}
    return {**made, **kept, **about, "surface": False, "attacks": "[]"}


def models(folder: Path) -> dict[str, bytes]:
    found = {path.name: path.read_bytes() for path in (folder / "models").glob("model_fold*.pt")}
    return found | {"next": (Path(Register.read(folder / "out").model) / "model.pt").read_bytes()}


def finish(folder: Path) -> None:
    """The true command line, imports included, as it is when it is killed."""
    process = start("process", own(folder), cwd=folder)
    _, errors = process.communicate()
    assert process.returncode == 0, errors[-2000:]


@pytest.mark.study
def test_process() -> None:
    whole = site("whole")
    begun = time.monotonic()
    finish(whole)
    seconds = time.monotonic() - begun
    found = []
    for number, moment in enumerate(MOMENTS):
        folder = site(f"killed{number}")
        process = start("process", own(folder), cwd=folder)
        time.sleep(moment * seconds)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        rows = Register.read(folder / "out").rows
        state = rows[0].state if rows else "not begun"
        finish(folder)
        same = models(folder) == models(whole)
        (row,) = Register.read(folder / "out").rows
        sound = not any(errors for _, errors in check_release(folder / "out" / row.run / "release"))
        found.append({"after": moment, "killed_when": state, "same_models": same, "record_holds": sound})
    common.save("killed/process", {"seconds": seconds, "kills": found})
    assert all(one["same_models"] and one["record_holds"] for one in found)
