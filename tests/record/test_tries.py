"""What was judged is noted before and after, and a further look costs level."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scripts.errors import Refused
from scripts.record.run_folder import RunFolder
from scripts.record.tries import LEVEL, Tries, level_of
from scripts.verify.contrasts import PairedContrasts
from tests.record.judged import Run, passing_pool


@pytest.fixture(scope="module")
def passing() -> dict[str, Any]:
    return passing_pool()


def kinds(run: Run) -> list[str]:
    return [entry["kind"] for entry in Tries(run.folder).entries()]


def test_levels_of_all_tries_together() -> None:
    levels = [level_of(number) for number in range(50)]
    assert levels[0] == pytest.approx(0.04) and levels[1] == pytest.approx(0.008)
    assert sum(levels) <= LEVEL and sum(levels) == pytest.approx(LEVEL)


def test_looking_again_with_more_pairs_passes_no_oftener_than_was_meant() -> None:
    """A model at the margin, 4 pairs, then 6, 8 and 12 until one look pleases."""
    rng = np.random.default_rng(0)
    once = shared = 0
    for _ in range(600):
        noise = 0.1 * rng.standard_normal((3, 12))
        looks = [
            PairedContrasts(original=1 + noise[0, :n], unlearned=0.3 + noise[1, :n], retrained=noise[2, :n])
            for n in (4, 6, 8, 12)
        ]
        once += any(look.equivalent(0.05) for look in looks)
        shared += any(look.equivalent(level_of(number)) for number, look in enumerate(looks))
    assert once / 600 > 0.08 and shared / 600 <= 0.06


def test_each_verdict_is_noted_with_its_plan_and_level(tmp_path: Path, passing: dict[str, Any]) -> None:
    run = Run(tmp_path, passing)
    _, first = run.judge()
    assert first["try"] == 1 and first["level"] == pytest.approx(0.04) and kinds(run) == ["plan", "verdict"]
    assert run.judge()[1] == first and kinds(run) == ["plan", "verdict"]
    # The same scores with more beside them are no second look.
    run.write({**passing, "budget": 13})
    assert run.judge()[1]["try"] == 1 and kinds(run) == ["plan", "verdict"]
    other = copy.deepcopy(passing)
    other["models"]["unlearned"][0]["values"]["forget"]["score"][0] += 0.001
    run.write(other)
    _, second = run.judge()
    assert second["try"] == 2 and second["level"] == pytest.approx(0.008)
    assert kinds(run) == ["plan", "verdict", "verdict"]
    # To come back to the first scores is no third try.
    run.write(passing)
    assert run.judge()[1]["try"] == 1


def test_a_ledger_that_was_cut_or_changed_is_refused(tmp_path: Path, passing: dict[str, Any]) -> None:
    run = Run(tmp_path, passing)
    run.judge()
    ledger = run.folder.release / "ledger.jsonl"
    lines = ledger.read_text().splitlines(keepends=True)
    ledger.write_text(lines[0])
    with pytest.raises(Refused, match="holds 1 of the 2 entries that the run wrote"):
        run.judge()
    ledger.unlink()
    with pytest.raises(Refused, match="holds 0 of the 2 entries"):
        run.judge()
    entry = json.loads(lines[0])
    entry["body"] = {"pairs": 12}
    ledger.write_text(json.dumps(entry, sort_keys=True, separators=(",", ":")) + "\n" + lines[1])
    with pytest.raises(Refused, match="entry 0 was changed"):
        run.judge()


def test_scores_without_a_plan_are_refused(tmp_path: Path, passing: dict[str, Any]) -> None:
    run = Run(tmp_path, passing)
    scores = run.folder.private / "scores.json"
    scores.write_text(json.dumps({**json.loads(scores.read_text()), "plan": "0" * 64}))
    with pytest.raises(Refused, match="holds no plan of the scores of this run; run references again"):
        run.judge()
    assert not run.folder.verdict.exists()


def test_the_same_plan_is_noted_once(tmp_path: Path) -> None:
    tries = Tries(RunFolder(output_dir=tmp_path / "run", log=False))
    one = tries.plan({"pairs": 4})
    assert tries.plan({"pairs": 4}) == one != tries.plan({"pairs": 12})
    assert len(tries.entries()) == 2
