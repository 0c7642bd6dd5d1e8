"""A run that can be judged: a student, a teacher beside its record, and the scores of a simulated pool."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from scripts.files import write_bytes, write_json
from scripts.identity import Identity
from scripts.identity.identity import plain_digest
from scripts.record.judgement import Judgement
from scripts.record.run_folder import RunFolder
from scripts.record.tries import Tries
from scripts.settings.groups.references import ATTACKS
from scripts.tasks import build_task
from scripts.verify.verdict import decide
from tests.verify.simulated import simulated

PATIENTS = ["secret-a", "secret-b", "secret-c", "secret-d"]
TRAINING = {
    "data_set": "phantom",
    "fold": -1,
    "split": {"seed": 0, "validation_share": 0.2, "test_share": 0.2, "guard_share": 0.0, "folds": 5},
    "training": {"epochs": 30, "seed": 1000},
}


def procedure(steps: int) -> str:
    """Digest of the procedure by which `Run.unlearned` says that a student was made."""
    return plain_digest({"forget": {"steps_per_round": steps, "seed": None}})


def pool_of(scores: Any, *, dice: float = 0.0) -> dict[str, Any]:
    """`private/scores.json` of simulated scores; the unlearned models' Dice is changed by `dice`."""
    rng = np.random.default_rng(0)

    def values(model: Any, change: float = 0.0) -> dict[str, Any]:
        held_out = (0.8 + 0.01 * rng.standard_normal(30) + change).tolist()
        rate = [0.1] * 30
        return {
            "answers": model.answers.tolist(),
            "forget": {"score": model.forget.tolist()},
            "validation": {"score": model.validation.tolist(), "dice": held_out, "false_negative_rate": rate},
        }

    images = {"images": [f"image-{i}" for i in range(16)], "patients": [PATIENTS[i // 4] for i in range(16)]}
    held = {"images": [f"held-{i}" for i in range(30)], "patients": [f"secret-held-{i:02d}" for i in range(30)]}
    return {
        "evidence": "paired",
        "sets": {"forget": images, "validation": held},
        "delivered": values(scores.delivered, dice),
        "teacher": values(scores.teacher),
        "budget": 12,
        "seeds": [1000 + pair for pair in range(8)],
        "recipes": [procedure(180)],
        "models": {
            kind: [{"values": values(model, dice if kind == "unlearned" else 0.0)} for model in models]
            for kind, models in scores.models.items()
        },
        "training": TRAINING,
        "relearning": {
            "steps": [0, 10, 20],
            "curves": {
                kind: [[y, y + 0.5, y + 1.0] for y in scores.means(kind).tolist()]
                for kind in ("unlearned", "retrained")
            },
        },
        "disagreement": _apart(len(scores.models["retrained"]) + 1),
        "recovery": {name: recovered(scores) for name in ATTACKS},
        "recovery_steps": 20,
    }


def recovered(scores: Any, *, kind: str = "unlearned") -> dict[str, Any]:
    """After an attack under which the models of one kind stand as they stood before it."""
    means = {"unlearned": scores.means(kind).tolist(), "retrained": scores.means("retrained").tolist()}
    return means | {f"{name}_dice": [0.8] * len(found) for name, found in means.items()}


def _apart(count: int) -> list[list[float]]:
    """Disagreement of so many models, all alike."""
    part = 0.1 + 0.01 * np.random.default_rng(3).standard_normal(count)
    part[0] = 0.1
    return [[0.0 if i == j else float(part[i] + part[j]) for j in range(count)] for i in range(count)]


def passing_pool() -> dict[str, Any]:
    """A pool that gives a PASS."""
    found = (scores for scores in map(lambda seed: simulated(seed=seed), range(20)) if decide(scores).outcome == "PASS")
    return pool_of(next(found))


class Run:
    """A run folder with a student, a teacher beside its record, and the scores of a pool."""

    def __init__(self, root: Path, pool: dict[str, Any]) -> None:
        self.folder = RunFolder(output_dir=root / "run", log=False)
        self.teacher = root / "models" / "model.pt"
        self.teacher.parent.mkdir(parents=True, exist_ok=True)
        self.teacher.write_bytes(b"teacher")
        write_bytes(self.folder.student, b"student")
        self.record({})
        self.folder.note(state="trial")
        self.unlearned(steps=180)
        self.write(pool)

    def unlearned(self, *, steps: int) -> None:
        """Record that the student was made in so many steps."""
        identity = Identity(procedure={"steps_per_round": steps, "seed": 0})
        write_json(self.folder.identity, {"forget": {**identity.as_dict(), "done": True}})

    def record(self, changes: dict[str, Any]) -> None:
        training = {**TRAINING["training"], "seed": 7, **changes}
        write_json(self.teacher.with_suffix(".json"), {**TRAINING, "training": training})

    def write(self, pool: dict[str, Any]) -> None:
        files = {"delivered": self.folder.student, "teacher": self.teacher}
        digests = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
        plan = Tries(self.folder).plan({"pairs": 8})
        write_json(self.folder.private / "scores.json", {**pool, "plan": plan, "digests": digests})

    def judge(self, task: str = "segmentation") -> tuple[int, dict[str, Any]]:
        judgement = Judgement(folder=self.folder, teacher=self.teacher, task=build_task(task))
        try:
            judgement.run()
            judgement.end()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, json.loads(self.folder.verdict.read_text())
