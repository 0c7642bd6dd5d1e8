"""How often evidence by mock requests errs: controls of known truth on the phantom, in blocks of their own seeds.

make study STUDY=mock_requests

A block is a teacher, a pool and measuring members of its own. Interrupted, it goes on.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scripts.engines.models import model_path
from scripts.pool.candidates import Candidate
from scripts.pool.mock_requests import MockRequest, MockRequests
from scripts.pool.mock_scoring import MockScoring
from scripts.record.mock_scores import MockScores
from scripts.references.jobs import run_jobs
from scripts.settings.given import Settings
from scripts.verify.amortised import Delivered, decide_amortised
from scripts.verify.check import Check
from scripts.verify.decisions import Decided
from scripts.workspace.workspace import Workspace, settings_of
from tests.studies import common
from torch import nn

BLOCKS = range(15)
FOLDS, REQUESTS, MEMBERS = 5, 36, 3
FIRST_SEED, POOL_SEED = 2_000, 5_000  # of the blocks' teachers, and of what is measured with them
# The recipe that `prepare` found on the delivered phantom, whose patients and teacher are others.
RECIPE = Candidate(
    "fold_start",
    {"forget_learning_rate": 5e-4, "hard_share": 0.5, "max_rounds": 3, "retain_batch": 16, "steps_per_round": 40},
)
FOLDER = common.WORK / "mock_requests"
WANTED = {"true": "PASS", "ours": "PASS"}  # of the controls; of the others no PASS


class Mixed(nn.Module):
    """Logits so far on the way from one network to another: 0.5 is half of what was forgotten, 1.6 too much of it."""

    def __init__(self, first: nn.Module, last: nn.Module, *, part: float) -> None:
        super().__init__()
        self.first, self.last, self.part = first, last, part

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        start = self.first(image)
        return start + self.part * (self.last(image) - start)


class ControlScoring(MockScoring):
    """Of controls, some of which are mixtures; what comes back is another question."""

    def attacks(self, without: Collection[str]) -> dict[str, Any]:
        return {}

    def _placed(self, path: Path) -> nn.Module:
        name, _, part = path.name.partition("@")
        network = super()._placed(path.with_name(name))
        return Mixed(super()._placed(self.teacher), network, part=float(part)).eval() if part else network


def block(number: int) -> dict[str, Any]:
    """Control -> what is decided."""
    folder = FOLDER / f"block{number:02d}"
    own = {
        "folds": FOLDS,
        "select": "last",
        "seed": FIRST_SEED + number,
        "phantom_seed": number,
        "near_duplicates": False,
    }
    common.train(folder, "model", own)
    for fold in range(FOLDS):
        common.train(folder, "fold", {**own, "seed": FIRST_SEED + 100 + 10 * number + fold, "fold": fold})
    about = {**common.known("prepare", own), "model_dir": str(folder), "reference_dir": str(folder / "pool")}
    about |= {"bundle_root": str(common.ROOT), "progress": False, "threads": 1, "output_dir": str(folder / "run")}
    about |= {"reference_seed": POOL_SEED + 1_000 * number}
    given = Settings("prepare", dict(settings_of(about, "prepare")), given=about)
    space = Workspace(workflow="prepare", settings=given)
    by_recipe = space.candidate_pairs(RECIPE)
    mocks = MockRequests(
        pairs=space.pairs({}),
        answering=lambda cohort: by_recipe,
        cohort=space.cohort,
        teacher=space.teacher_path,
        count=REQUESTS,
        members=MEMBERS,
    )
    mocks.pairs.make_folder()
    drawn = mocks.drawn()
    members = {fold: mocks.measured_by(fold) for fold in sorted({fold for mock in drawn for fold in mock.records})}
    run_jobs([*(job for jobs in members.values() for job in jobs), *(mock.student for mock in drawn)])
    scoring = ControlScoring(
        loaders=space.loaders,
        network=space.network_def,
        teacher=space.teacher_path,
        task=space.task,
        arithmetic=space.arithmetic,
    )
    weights = {fold: [job.weights for job in jobs] for fold, jobs in members.items()}
    found = {}
    for name, student in controls(folder, space.teacher_path).items():
        # As if members and folds had been mixed up: those of the next fold were trained on the patients.
        shift = 1 if name == "members of another fold" else 0
        measuring = {fold: weights[(fold + shift) % FOLDS] for fold in weights}
        found[name] = decided(scoring.requests([(mock.records, student(mock)) for mock in drawn], measuring))
    return found


def controls(folder: Path, teacher: Path) -> dict[str, Callable[[MockRequest], Path]]:
    """Control -> mock request -> the model that stands for the unlearned one."""
    numbers: dict[tuple[str, ...], int] = {}

    def number(mock: MockRequest) -> int:
        return numbers.setdefault(mock.patients, len(numbers))

    def skipped(every: int) -> Callable[[MockRequest], Path]:
        return lambda mock: mock.student.weights if (number(mock) + 1) % every else teacher

    def scaled(part: float) -> Callable[[MockRequest], Path]:
        return lambda mock: mock.student.weights.with_name(f"{mock.student.weights.name}@{part}")

    return {
        "true": lambda mock: model_path(model_dir=str(folder), model_name="", fold=min(mock.records)),
        "ours": lambda mock: mock.student.weights,
        "nothing": lambda mock: teacher,
        "half": scaled(0.5),
        "over": scaled(1.6),
        "a tenth skipped": skipped(10),
        "a fifth skipped": skipped(5),
        "members of another fold": lambda mock: mock.student.weights,
    }


def decided(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The procedure's figures, and the verdict of each request as if it were the one that was asked."""
    about = MockScores(rows, where=Path("rows"))
    procedure, kept = about.procedure(), about.kept_by_members()
    outcomes: collections.Counter[str] = collections.Counter()
    for row in rows:
        said = {**row["decisions"], "kept_members": tuple(row["decisions"]["kept_members"])}
        delivered = Delivered(
            patients=1,
            teacher=row["teacher"][0],
            unlearned=row["unlearned"][0],
            members=np.array([one[0] for one in row["members"]]),
            decisions=Decided(**said),
        )
        alike = Check("made alike", True, "")
        verdict = decide_amortised(
            delivered, procedure, kept_by_members=kept, recovery={}, exchangeable=alike, level=0.04
        )
        outcomes[verdict.outcome] += 1
    answers = procedure.answers
    assert answers is not None
    return {
        "qualified": procedure.qualified(level=0.04),
        "forgotten_fraction": procedure.means.forgotten_fraction,
        "gap": procedure.means.gap.mean,
        "gap_over_spread": procedure.means.gap.mean / procedure.spread,
        "excess": asdict(procedure.scores),
        "excess_of_decisions": asdict(answers),
        "beyond": asdict(procedure.rate),
        "outcomes": dict(outcomes),
    }


@pytest.mark.study
@pytest.mark.parametrize("number", BLOCKS)
def test_block(number: int) -> None:
    path = common.RESULTS / "mock_requests" / f"block{number:02d}.json"
    if not path.is_file():
        common.save(f"mock_requests/block{number:02d}", block(number))
    found = common.read(path)
    assert not any(one["outcomes"].get("PASS") for name, one in found.items() if name in ("nothing", "half", "over"))
