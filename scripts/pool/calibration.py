"""Finds the recipe: candidates are tried on mock requests, and what is left of them after each round goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from scripts.cohort.cohort import Cohort, units
from scripts.cohort.membership import salted
from scripts.errors import InputError
from scripts.pool.candidates import Candidate
from scripts.pool.measuring import Measuring, Mock
from scripts.pool.mock_requests import refuse_shared_seed
from scripts.pool.trial import Measured, Trial
from scripts.references.controls import write_request
from scripts.references.jobs import digest
from scripts.references.pairs import Pairs

MOST = 4  # patients of a mock request
KEEP = 2  # candidates of each method that go on to the other mock requests


class Calibration:
    """Tries candidates on mock requests.

    Args:
        pairs_for: candidate -> the procedure that makes its student.
        cohort: without a request: everybody is retained.
        measuring: of the students.
        teacher: file of the teacher.
        requests: number of mock requests, each of another fold.
        seed: of the patients that are drawn, and of the measuring models.
    """

    def __init__(
        self,
        *,
        pairs_for: Callable[[Candidate | None], Pairs],
        cohort: Cohort,
        measuring: Measuring,
        teacher: Path,
        requests: int,
        seed: int,
    ) -> None:
        self.pairs_for, self.cohort, self.measuring, self.teacher = pairs_for, cohort, measuring, teacher
        self.requests, self.seed = int(requests), int(seed)

    def mocks(self) -> list[Mock]:
        """The mock requests: up to half of a fold's patients, at most `MOST`, from as many folds.

        Raises:
            InputError: there are fewer folds than mock requests.
        """
        folds: dict[int, list[str]] = {}
        for patient in units(self.cohort.retain):
            if (fold := self.cohort.folds.get(patient, -1)) >= 0:
                folds.setdefault(fold, []).append(patient)
        if len(folds) < self.requests:
            raise InputError(f"calibration_requests: {self.requests}: there are patients in {len(folds)} folds only")
        draw = np.random.default_rng(self.seed)
        chosen = sorted(draw.choice(sorted(folds), self.requests, replace=False).tolist())
        return [self._mock(fold, folds[fold], draw) for fold in chosen]

    def _mock(self, fold: int, patients: Sequence[str], draw: np.random.Generator) -> Mock:
        count = min(MOST, max(1, len(patients) // 2))
        asked = sorted(draw.choice(sorted(patients), count, replace=False).tolist())
        records = tuple(record for record in self.cohort.retain if record["patient_id"] in asked)
        pairs = self.pairs_for(None)
        key = digest(["mock", asked])
        request = pairs.folder / "mock" / f"request_{key[:16]}.csv"
        write_request(request, name="mock", patients=asked)
        contents = {patient: pairs.contents["retain"][patient] for patient in asked}
        folds = len(set(self.cohort.folds.values()))
        refuse_shared_seed(pairs.fold_dir, fold, seed=pairs.first_seed)
        measure = pairs.fold_out(fold, folds=folds, seed=pairs.first_seed)
        return Mock(records=records, request=request, key=digest(contents), measure=measure)

    def patients(self, mocks: Sequence[Mock]) -> list[str]:
        """The patients of the mock requests as salted digests."""
        recorded = self.cohort.recorded
        if recorded is None:
            return []
        asked = {record["patient_id"] for mock in mocks for record in mock.records}
        return sorted(salted(recorded.salt, "patient", patient) for patient in asked)

    def run(self, candidates: Sequence[Candidate], mocks: Sequence[Mock], *, until: float) -> list[Trial]:
        """Trials, the best first: all candidates on the first mock request, the best of each method on the others.

        Args:
            until: time of `time.monotonic` after which nothing new is begun; what was tried by then is ranked.
        """
        trials = [Trial(one, self.tried(one, mocks[:1])) for one in candidates if time.monotonic() < until]
        ranked: list[Trial] = []
        for method in dict.fromkeys(trial.candidate.method for trial in trials):
            own = sorted((trial for trial in trials if trial.candidate.method == method), key=Trial.order)
            ranked += [self._further(trial, mocks[1:], until) for trial in own[:KEEP]] + own[KEEP:]
        # What was tried on fewer mock requests is known less well.
        return sorted(ranked, key=lambda trial: (-len(trial.measured), trial.order()))

    def _further(self, trial: Trial, mocks: Sequence[Mock], until: float) -> Trial:
        measured = list(trial.measured)
        for mock in mocks:
            if time.monotonic() < until:
                measured += self.tried(trial.candidate, [mock])
        return Trial(trial.candidate, measured)

    def tried(self, candidate: Candidate, mocks: Sequence[Mock]) -> list[Measured]:
        """The candidate's students on these mock requests, made where they are not there, and measured."""
        found = []
        for mock in mocks:
            job = self.pairs_for(candidate).mock(self.teacher, mock.request, mock.key)
            job.run()
            found.append(self.measuring.measured(job, mock))
            print(f"{candidate.told}: {Trial(candidate, found[-1:]).told()}", flush=True)
        return found
