"""Mock requests: patients who asked for nothing, on whom a procedure is measured once a model.

Each is unlearned from the teacher as a request would be, and measured by members of its fold that no method looks at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scripts.cohort.cohort import Cohort, Record, units
from scripts.cohort.membership import salted
from scripts.cohort.provenance import ModelRecord
from scripts.engines.reference import member_paths
from scripts.errors import InputError
from scripts.messages import number_of
from scripts.methods.recipe_file import RecipeFile
from scripts.references.controls import write_request
from scripts.references.jobs import Job, digest
from scripts.references.pairs import MOST_PAIRS, Pairs
from scripts.verify.mock_requests import LEAST_REQUESTS

MOST_MEMBERS = 64  # of a fold: their seeds do not reach into those of the next one


@dataclass(frozen=True)
class MockRequest:
    """One of them.

    Attributes:
        patients: of one fold.
        records: their images.
        student: the teacher, unlearned.
    """

    patients: tuple[str, ...]
    fold: int
    records: tuple[Record, ...]
    student: Job


class MockRequests:
    """Draws them, and names the models that they need.

    Args:
        pairs: how a request is answered, and how members are trained.
        cohort: without a request: everybody is retained.
        teacher: file of the teacher.
        count: mock requests at most.
        size: patients of each.
        members: measuring members of each fold; each has a seed of its own, for members of one seed deviate alike.
    """

    def __init__(
        self, *, pairs: Pairs, cohort: Cohort, teacher: Path, count: int, size: int = 1, members: int = 3
    ) -> None:
        self.pairs, self.cohort, self.teacher = pairs, cohort, teacher
        self.count, self.size, self.members = int(count), int(size), int(members)

    def available(self) -> dict[int, list[str]]:
        """Fold -> patients who may be drawn: those on whom no recipe was found."""
        known = calibrated_on(self.pairs.fold_dir, self.cohort)
        found: dict[int, list[str]] = {}
        for patient in units(self.cohort.retain):
            if (fold := self.cohort.folds.get(patient, -1)) >= 0 and patient not in known:
                found.setdefault(fold, []).append(patient)
        return found

    def problem(self) -> str:
        """Why there can be no evidence of this kind, in words; empty where there can."""
        possible = sum(len(patients) // self.size for patients in self.available().values())
        if possible >= LEAST_REQUESTS:
            return ""
        return (
            f"{number_of(possible, 'mock request')} of {number_of(self.size, 'patient')} can be drawn, at least"
            f" {LEAST_REQUESTS} are needed;"
            " requests on this model are judged by paired references (run references)"
        )

    def drawn(self) -> list[MockRequest]:
        """The mock requests, by the pool's first seed.

        Raises:
            InputError: there are too few patients.
        """
        if problem := self.problem():
            raise InputError(f"mock_requests: {problem}")
        draw = np.random.default_rng(self.pairs.first_seed)
        groups = []
        for fold, patients in sorted(self.available().items()):
            order = draw.permutation(sorted(patients)).tolist()
            groups += [(fold, order[at : at + self.size]) for at in range(0, len(order) - self.size + 1, self.size)]
        chosen = draw.permutation(len(groups))[: self.count]
        return [self._mock(*groups[place]) for place in sorted(chosen.tolist())]

    def measured_by(self, fold: int) -> list[Job]:
        """The members of a fold, trained without its patients.

        Raises:
            InputError: a target of unlearning, or the teacher, has the seed of one.
        """
        folds = len(set(self.cohort.folds.values()))
        found = []
        for seed in self.seeds(fold):
            refuse_shared_seed(self.pairs.fold_dir, fold, seed=seed)
            found.append(self.pairs.fold_out(fold, folds=folds, seed=seed))
        return found

    def seeds(self, fold: int) -> list[int]:
        """Of the measuring members of a fold."""
        first = self.pairs.first_seed + MOST_PAIRS + fold * MOST_MEMBERS
        return [first + member for member in range(self.members)]

    def _mock(self, fold: int, patients: Sequence[str]) -> MockRequest:
        own = tuple(sorted(patients))
        records = tuple(record for record in self.cohort.retain if record["patient_id"] in own)
        key = digest(["mock", own])
        request = self.pairs.folder / "mock" / f"request_{key[:16]}.csv"
        # Written again where it is there: one of an earlier version may be readable by others.
        write_request(request, name="mock", patients=own)
        contents: Mapping[str, object] = {patient: self.pairs.contents["retain"][patient] for patient in own}
        return MockRequest(own, fold, records, self.pairs.mock(self.teacher, request, digest(contents)))


def refuse_shared_seed(fold_dir: Path, fold: int, *, seed: int) -> None:
    """Raise InputError where a model of `seed` would measure what has a fold teacher of that seed as its target."""
    for path in member_paths(fold_dir, fold):
        record = ModelRecord.read(path)
        if record is not None and record.training.get("seed") == seed:
            raise InputError(f"reference_seed: {seed} is the seed of {path}, a target of unlearning; give another one")


def calibrated_on(folder: Path, cohort: Cohort) -> set[str]:
    """Patients on whom the recipe was found: a procedure that was fitted to them is not tried on them."""
    found = RecipeFile.read(folder)
    if found is None or cohort.recorded is None:
        return set()
    salt, digests = cohort.recorded.salt, set(found.calibrated_on)
    return {patient for patient in units(cohort.retain) if salted(salt, "patient", patient) in digests}
