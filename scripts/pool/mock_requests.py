"""Mock requests: patients who asked for nothing, on whom a procedure is measured once a model.

Each is unlearned from the teacher as a request would be, and each of its patients is measured by members of his own
fold that no method looks at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scripts.cohort.cohort import Cohort, Record, units
from scripts.cohort.membership import salted
from scripts.cohort.provenance import ModelRecord
from scripts.engines.reference import member_paths
from scripts.errors import InputError
from scripts.messages import number_of
from scripts.methods.recipe_file import RecipeFile
from scripts.record.request_size import RequestSize
from scripts.references.controls import write_request
from scripts.references.jobs import Job, digest
from scripts.references.pairs import MOST_PAIRS, Pairs
from scripts.verify.mock_requests import LEAST_REQUESTS

ONE = RequestSize(1)
MOST_MEMBERS = 64  # of a fold: their seeds do not reach into those of the next one


@dataclass(frozen=True)
class MockRequest:
    """One of them.

    Attributes:
        patients: of one fold, or of several.
        records: their images, by fold.
        student: the teacher, unlearned.
    """

    patients: tuple[str, ...]
    records: Mapping[int, tuple[Record, ...]]
    student: Job


class MockRequests:
    """Draws them, and names the models that they need.

    Args:
        pairs: how members are trained.
        answering: cohort of a mock request -> how it is answered; None where only members are asked for.
        cohort: without a request: everybody is retained.
        teacher: file of the teacher.
        count: mock requests at most.
        size: of each.
        members: measuring members of each fold; each has a seed of its own, for members of one seed deviate alike.
    """

    def __init__(
        self,
        *,
        pairs: Pairs,
        cohort: Cohort,
        teacher: Path,
        count: int = 0,
        answering: Callable[[Cohort], Pairs] | None = None,
        size: RequestSize = ONE,
        members: int = 3,
    ) -> None:
        self.pairs, self.answering, self.cohort, self.teacher = pairs, answering, cohort, teacher
        self.count, self.size, self.members = int(count), size, int(members)

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
        if (possible := len(self._groups())) >= LEAST_REQUESTS:
            return ""
        return (
            f"{number_of(possible, 'mock request')} of {self.size} can be drawn, at least {LEAST_REQUESTS} are needed;"
            " requests on this model are judged by paired references (run references)"
        )

    def drawn(self) -> list[MockRequest]:
        """The mock requests, by the pool's first seed.

        Raises:
            InputError: there are too few patients.
        """
        if problem := self.problem():
            raise InputError(f"mock_requests: {problem}")
        groups = self._groups()
        chosen = np.random.default_rng(self.pairs.first_seed + 1).permutation(len(groups))[: self.count]
        return [self._mock(groups[place]) for place in sorted(chosen.tolist())]

    def _groups(self) -> list[list[str]]:
        """Patients of as many mock requests as can be made; none is in two."""
        draw = np.random.default_rng(self.pairs.first_seed)
        available = {fold: draw.permutation(sorted(own)).tolist() for fold, own in sorted(self.available().items())}
        if self.size.several:
            everybody = draw.permutation([patient for own in available.values() for patient in own]).tolist()
            return mixed(everybody, {patient: self.cohort.folds[patient] for patient in everybody}, self.size.patients)
        size = self.size.patients
        return [own[at : at + size] for own in available.values() for at in range(0, len(own) - size + 1, size)]

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

    def _mock(self, patients: Sequence[str]) -> MockRequest:
        own = tuple(sorted(patients))
        records: dict[int, tuple[Record, ...]] = {}
        for record in self.cohort.retain:
            if record["patient_id"] in own:
                fold = self.cohort.folds[record["patient_id"]]
                records[fold] = (*records.get(fold, ()), record)
        key = digest(["mock", own])
        request = self.pairs.folder / "mock" / f"request_{key[:16]}.csv"
        # Written again where it is there: one of an earlier version may be readable by others.
        write_request(request, name="mock", patients=own)
        contents: Mapping[str, object] = {patient: self.pairs.contents["retain"][patient] for patient in own}
        assert self.answering is not None
        asked = tuple(record for part in records.values() for record in part)
        kept = tuple(record for record in self.cohort.retain if record["patient_id"] not in own)
        answering = self.answering(replace(self.cohort, forget=asked, retain=kept))
        return MockRequest(own, records, answering.mock(self.teacher, request, digest(contents)))


def mixed(patients: Sequence[str], folds: Mapping[str, int], size: int) -> list[list[str]]:
    """Groups of `size` in the order of `patients`, none of which is of one fold alone; who is left over is in none."""
    left, found = list(patients), []
    while len(left) >= size:
        group, rest = left[:size], left[size:]
        if len({folds[patient] for patient in group}) == 1:
            other = next((patient for patient in rest if folds[patient] != folds[group[0]]), None)
            if other is None:
                break
            rest[rest.index(other)] = group[-1]
            group[-1] = other
        found.append(group)
        left = rest
    return found


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
