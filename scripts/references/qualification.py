"""`run qualify`: the procedure on mock requests of one patient each, against models that were trained without them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from scripts.cohort import Cohort
from scripts.cohort.cohort import units
from scripts.cohort.membership import salted
from scripts.cohort.provenance import ModelRecord
from scripts.engines.reference import member_paths
from scripts.errors import InputError
from scripts.files import write_json
from scripts.identity import file_digest
from scripts.methods.recipe_file import RecipeFile
from scripts.record.phase import procedure_digest
from scripts.record.run_folder import RunFolder
from scripts.references.controls import write_request
from scripts.references.jobs import Job, digest, run_jobs
from scripts.references.pairs import Pairs
from scripts.references.scoring import Scoring
from scripts.verify.qualification import LEAST_REQUESTS, qualify


class Qualify:
    """Writes `release/qualification.json`; `verify` says beside its verdict whether the procedure is qualified.

    The models without a patient are fold-out models with a seed of their own. The fold teachers that unlearning looks
    at, which are its targets, have other seeds: with the same seed the measure would be the target itself.

    Args:
        procedure: how the models of the pool are made.
        requests: mock requests, at least 16, drawn from the retain patients by the pool's first seed.
    """

    def __init__(
        self,
        *,
        procedure: Pairs,
        cohort: Cohort,
        folder: RunFolder,
        scoring: Scoring,
        teacher: str | Path,
        requests: int = LEAST_REQUESTS,
        workers: int = 1,
        backend: str = "local",
    ) -> None:
        known = _calibrated_on(procedure.fold_dir, cohort)
        in_folds = [patient for patient in units(cohort.retain) if cohort.folds.get(patient, -1) >= 0]
        patients = [patient for patient in in_folds if patient not in known]
        if not LEAST_REQUESTS <= int(requests) <= len(patients):
            allowed = f"{LEAST_REQUESTS} to {len(patients)}, the retain patients in folds on whom no recipe was found"
            raise InputError(f"mock_requests: {requests}: allowed are {allowed}")
        self.folder, self.scoring, self.cohort, self.teacher = folder, scoring, cohort, Path(teacher)
        self.workers, self.backend = int(workers), backend
        self.patients = sorted(
            np.random.default_rng(procedure.first_seed).choice(patients, int(requests), replace=False).tolist()
        )
        self.pairs = procedure

    def run(self) -> None:
        """Make the models, score, judge.

        Raises:
            InputError: a model that measures would be a target of unlearning; a model could not be made.
        """
        self.folder.refuse_ended()
        self.pairs.make_folder()
        fold_out = self._fold_out()
        mocks = {patient: self._mock(patient) for patient in self.patients}
        jobs = [*fold_out.values(), *mocks.values()]
        missing = sum(not job.done() for job in jobs)
        print(f"qualify: {len(mocks)} mock requests, {missing} of {len(jobs)} models to be made", flush=True)
        run_jobs(jobs, workers=self.workers, backend=self.backend)
        scores: dict[str, list[float]] = {"original": [], "unlearned": [], "retrained": []}
        for patient, job in mocks.items():
            without = fold_out[self.cohort.folds[patient]]
            for kind, weights in zip(scores, (self.teacher, job.weights, without.weights), strict=True):
                scores[kind].append(self.scoring.corrected_of(weights, self._records(patient)))
        write_json(self.folder.private / "qualification_scores.json", {"patients": self.patients, **scores})
        try:
            found = qualify(original=scores["original"], unlearned=scores["unlearned"], retrained=scores["retrained"])
        except ValueError as error:
            raise InputError(f"qualify: {error}") from error
        recipes = sorted({procedure_digest(job.folder) for job in mocks.values()})
        content = {**asdict(found), "recipes": recipes, "teacher": file_digest(self.teacher)}
        write_json(self.folder.qualification, content)
        self.folder.write_manifest()
        print(f"procedure qualified: {'yes' if found.qualified else 'no'}: {found.reason}")
        fraction = "-" if found.forgotten_fraction is None else f"{found.forgotten_fraction:.2f}"
        print(f"FF {fraction} over {found.requests} patients; t of the gap {found.gap_over_spread:.1f}")

    def _fold_out(self) -> dict[int, Job]:
        """Fold -> the model that was trained without it, by which the mock requests of its patients are measured.

        Raises:
            InputError: a fold teacher that serves as a target has the same seed.
        """
        seed, folds = self.pairs.first_seed, len(set(self.cohort.folds.values()))
        wanted = sorted({self.cohort.folds[patient] for patient in self.patients})
        for fold in wanted:
            refuse_shared_seed(self.pairs.fold_dir, fold, seed=seed)
        return {fold: self.pairs.fold_out(fold, folds=folds, seed=seed) for fold in wanted}

    def _mock(self, patient: str) -> Job:
        key = digest(["mock", patient])
        request = self.pairs.folder / "mock" / f"request_{key[:16]}.csv"
        # Written again where it is there: one of an earlier version may be readable by others.
        write_request(request, name="mock", patients=[patient])
        images = [record["image_id"] for record in self._records(patient)]
        return self.pairs.mock(self.teacher, request, digest(images))

    def _records(self, patient: str) -> list[dict[str, Any]]:
        return [record for record in self.cohort.retain if record["patient_id"] == patient]


def refuse_shared_seed(fold_dir: Path, fold: int, *, seed: int) -> None:
    """Raise InputError where a model of `seed` would measure what has a fold teacher of that seed as its target."""
    for path in member_paths(fold_dir, fold):
        record = ModelRecord.read(path)
        if record is not None and record.training.get("seed") == seed:
            raise InputError(f"reference_seed: {seed} is the seed of {path}, a target of unlearning; give another one")


def _calibrated_on(folder: Path, cohort: Cohort) -> set[str]:
    """Patients on whom the recipe was found: a procedure that was fitted to them is not tried on them."""
    found = RecipeFile.read(folder)
    if found is None or cohort.recorded is None:
        return set()
    salt, digests = cohort.recorded.salt, set(found.calibrated_on)
    return {patient for patient in units(cohort.retain) if salted(salt, "patient", patient) in digests}
