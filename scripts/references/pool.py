"""Makes a pool of pairs for one request: a pilot, a plan within the budget, the rest, and the scores of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scripts.attacks.recovery import Attack
from scripts.attacks.relearning import Relearning
from scripts.cohort import Cohort
from scripts.errors import InputError, require_positive
from scripts.files import read_json, write_json
from scripts.identity import Identity, file_digest
from scripts.record.paired_evidence import KIND
from scripts.record.phase import procedure_digest, read_identities
from scripts.record.run_folder import RunFolder
from scripts.record.tries import Tries, level_of
from scripts.references.jobs import Job, run_jobs
from scripts.references.pairs import Pairs
from scripts.references.scoring import Scoring, plain
from scripts.verify.contrasts import LEAST_PAIRS, MARGIN
from scripts.verify.plan import PairPlan, plan_pairs

SCORES = "scores.json"
KINDS = ("original", "unlearned", "retrained")


class ReferencePool:
    """`run references`: writes `private/scores.json` and `release/references.json`.

    Args:
        procedure: how the models of the pool are made; the pool may serve many requests.
        cohort: with the forget set.
        folder: of the run whose student is to be judged.
        teacher: path of the delivered model's original.
        pairs: number of pairs; 0 plans it from the pilot.
        pilot_pairs: of the pilot.
        budget_pairs: pairs at most.
        budget_minutes: wall time at most for what is still to be trained; 0 sets no limit.
        workers, backend: see `run_jobs`.
        recoveries: attacks that are tried on every unlearned and every retrained model.
        recovery_steps: of those that train.
        relearning: of the forget images by the same models; None leaves it out.
    """

    def __init__(
        self,
        *,
        procedure: Pairs,
        cohort: Cohort,
        folder: RunFolder,
        scoring: Scoring,
        teacher: str | Path,
        pairs: int = 0,
        pilot_pairs: int = LEAST_PAIRS,
        budget_pairs: int = 12,
        budget_minutes: float = 0.0,
        workers: int = 1,
        backend: str = "local",
        recoveries: Mapping[str, Attack] | None = None,
        recovery_steps: int = 0,
        relearning: Relearning | None = None,
    ) -> None:
        require_positive(reference_workers=workers, reference_budget=budget_pairs)
        if int(pilot_pairs) < LEAST_PAIRS or 0 < int(pairs) < LEAST_PAIRS:
            few = min(int(pilot_pairs), int(pairs) or int(pilot_pairs))
            raise InputError(f"reference_pairs, reference_pilot: {few} pairs are too few; at least {LEAST_PAIRS}")
        if not procedure.request:
            raise InputError("request: references are made for a request file; give --request FILE")
        self.folder, self.scoring, self.cohort = folder, scoring, cohort
        self.teacher = Path(teacher)
        self.pair_count, self.pilot_pairs = int(pairs), int(pilot_pairs)
        self.budget_pairs, self.budget_minutes = int(budget_pairs), float(budget_minutes)
        self.workers, self.backend = int(workers), backend
        self.recoveries, self.recovery_steps = dict(recoveries or {}), int(recovery_steps)
        self.relearning = relearning
        self.pairs = procedure

    def run(self) -> None:
        """Train, plan, train, score.

        Raises:
            InputError: the run has no student; a model of the pool was changed or could not be made.
        """
        self.folder.refuse_ended()
        if not self.folder.student.is_file():
            raise InputError(f"{self.folder.student}: no student; run forget first, with the same output_dir")
        record = self.teacher.with_suffix(".json")
        beside = read_json(record, remedy="restore the record of the teacher's training") if record.is_file() else {}
        phases = read_identities(self.folder)
        self.pairs.check_like(beside, {name: Identity.read(one, where=record) for name, one in phases.items()})
        self.pairs.make_folder()
        count = self.pair_count or self.pilot_pairs
        twins = [job for pair in range(count) for job in (self.pairs.original(pair), self.pairs.retrained(pair))]
        print(f"references: {count} pairs to begin with; {self._cost(twins)}", flush=True)
        run_jobs(twins, workers=self.workers, backend=self.backend)
        plan = None if self.pair_count else self._plan(count)
        if plan is not None:
            count = max(count, plan.pairs or 0) if plan.affordable else count
        jobs = [job for pair in range(count) for job in self._triple(pair)]
        print(f"references: {self._told(plan, count)}; {self._cost(jobs)}", flush=True)
        noted = self._note(plan, count)
        run_jobs([job for job in jobs if job.kind != "unlearned"], workers=self.workers, backend=self.backend)
        run_jobs([job for job in jobs if job.kind == "unlearned"], workers=self.workers, backend=self.backend)
        self._write(jobs, plan, noted)
        print(f"references: {count} pairs scored")

    def _triple(self, pair: int) -> tuple[Job, Job, Job]:
        return self.pairs.original(pair), self.pairs.unlearned(pair), self.pairs.retrained(pair)

    def _plan(self, count: int) -> PairPlan:
        """From the corrected scores of the pilot."""
        scores = {
            kind: [self.scoring.corrected(getattr(self.pairs, kind)(pair).weights) for pair in range(count)]
            for kind in ("original", "retrained")
        }
        level = level_of(Tries(self.folder).number(""))  # of a look that was not taken yet
        try:
            return plan_pairs(**scores, budget=self._budget(count), level=level)  # type: ignore[arg-type]
        except ValueError as error:
            raise InputError(f"references: {error}") from error

    def _budget(self, count: int) -> int:
        """Pairs that the budget of time allows, from what a model took so far."""
        if not self.budget_minutes:
            return self.budget_pairs
        known = [self.pairs.original(pair).seconds() for pair in range(count)]
        each = sum(seconds or 0.0 for seconds in known) / len(known)
        # A pair costs two trainings, and unlearning less than one.
        within = int(self.budget_minutes * 60 * self.workers / max(3 * each, 1e-9))
        return max(count, min(self.budget_pairs, within))

    def _cost(self, jobs: Sequence[Job]) -> str:
        missing = [job for job in jobs if not job.done()]
        if not missing:
            return "all models are there"
        known = [seconds for job in jobs if (seconds := job.seconds()) is not None]
        if not known:
            return f"{len(missing)} of {len(jobs)} models to be made; what one takes is known after the first"
        minutes = len(missing) * sum(known) / len(known) / 60 / self.workers
        return f"{len(missing)} of {len(jobs)} models to be made, about {minutes:.1f} minutes"

    @staticmethod
    def _told(plan: PairPlan | None, count: int) -> str:
        if plan is None:
            return f"{count} pairs as asked for"
        found = f"gap {plan.gap:.3f}, {plan.effect:.1f} times the spread within pairs"
        if plan.affordable:
            return f"{found}: {count} pairs planned"
        needed = f"about {plan.pairs}" if plan.pairs else "more than 256"
        return f"{found}: {needed} pairs would be needed, the budget is {plan.budget}; the pilot alone is scored"

    def _note(self, plan: PairPlan | None, count: int) -> str:
        """Write down what will be judged and by what, before an unlearned model is looked at; the note's hash."""
        task = self.scoring.task
        margins = task.guarded(task.classes(int(self.pairs.settings["out_channels"])))
        return Tries(self.folder).plan(
            {
                "evidence": KIND,
                "pairs": count,
                "seeds": [self.pairs.first_seed + pair for pair in range(count)],
                "planned": plan is not None,
                "margin": MARGIN,
                "margins": {name: asdict(margin) for name, margin in margins.items()},
                "recovery": list(self.recoveries),
                "recovery_steps": self.recovery_steps,
                "delivered": file_digest(self.folder.student),
            }
        )

    def _write(self, jobs: Sequence[Job], plan: PairPlan | None, noted: str) -> None:
        if any(not job.done() for job in jobs):
            raise InputError("references: a model is missing; run references again")
        content = {
            "evidence": KIND,
            "plan": noted,
            "sets": self.scoring.images(),
            "delivered": self.scoring.model(self.folder.student),
            "teacher": self.scoring.model(self.teacher),
            "digests": {"delivered": file_digest(self.folder.student), "teacher": file_digest(self.teacher)},
            "recipes": sorted({procedure_digest(job.folder) for job in jobs if job.kind == "unlearned"}),
            "trusted": bool(self.cohort.resolution.get("trusted")),
            "seeds": [self.pairs.first_seed + pair for pair in range(len(jobs) // len(KINDS))],
            "budget": self.budget_pairs if plan is None else plan.budget,
            "models": {
                kind: [
                    {"digest": file_digest(job.weights), "values": self.scoring.model(job.weights)}
                    for job in jobs
                    if job.kind == kind
                ]
                for kind in KINDS
            },
            "recovery": {name: self._attacked(jobs, attack) for name, attack in self.recoveries.items()},
            "recovery_steps": self.recovery_steps,
            "relearning": self._relearned(jobs),
            "disagreement": self.scoring.disagreements(
                [self.folder.student, *(job.weights for job in jobs if job.kind == "retrained")]
            ),
            "agreement": self._agreement(jobs),
            "training": _training(next(job for job in jobs if job.kind == "original").weights),
        }
        write_json(self.folder.private / SCORES, content)
        planned = None if plan is None else {**vars(plan), "affordable": plan.affordable}
        seconds = {kind: [round(job.seconds() or 0.0, 1) for job in jobs if job.kind == kind] for kind in KINDS}
        write_json(
            self.folder.release / "references.json",
            {"pairs": len(jobs) // len(KINDS), "plan": planned, "seconds": seconds},
        )
        self.folder.write_manifest()

    def _attacked(self, jobs: Sequence[Job], attack: Attack) -> dict[str, list[float | None]]:
        """Corrected scores after the attack, and the key metric on the forget images."""
        found: dict[str, list[float | None]] = {}
        for kind in ("unlearned", "retrained"):
            rows = [self.scoring.attacked(job.weights, attack) for job in jobs if job.kind == kind]
            scores, metrics = zip(*rows, strict=True)
            found |= {kind: plain(scores), f"{kind}_{self.scoring.task.key_metric}": plain(metrics)}
        return found

    def _agreement(self, jobs: Sequence[Job]) -> dict[str, Any]:
        """With the teacher: of the delivered model, and of retrained models with the original of their seed."""
        originals, twins = ([job.weights for job in jobs if job.kind == kind] for kind in ("original", "retrained"))
        pairs = zip(originals, twins, strict=True)
        return {
            "delivered": self.scoring.agreement(self.teacher, [self.folder.student])[0],
            "retrained": [self.scoring.agreement(original, [twin])[0] for original, twin in pairs],
        }

    def _relearned(self, jobs: Sequence[Job]) -> dict[str, Any]:
        """Curves of the corrected score; empty where none were asked for."""
        if self.relearning is None:
            return {}
        relearning = self.relearning
        curves = {
            kind: [plain(self.scoring.relearned(job.weights, relearning)) for job in jobs if job.kind == kind]
            for kind in ("unlearned", "retrained")
        }
        return {"steps": relearning.looks, "curves": curves}


def _training(weights: Path) -> dict[str, Any]:
    """What is recorded beside the weights, without the seed."""
    path = weights.with_suffix(".json")
    return read_json(path, remedy="train the reference models again") if path.exists() else {}
