"""Models of a pool that know somebody who is gone: fold teachers, and members by which mock requests are measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.cohort import Cohort
from scripts.cohort.cohort import Record
from scripts.cohort.membership import Membership
from scripts.cohort.model_record import ModelRecord
from scripts.cohort.provenance import seen_of_gone
from scripts.errors import InputError
from scripts.pool.mock_requests import MockRequests
from scripts.references.jobs import Job
from scripts.references.pairs import Pairs


@dataclass(frozen=True)
class Outdated:
    """One of them.

    Attributes:
        path: of its weights.
        record: beside them.
        seen: images of who is gone on which it was trained; none where it only belongs elsewhere now.
        place: of its successor, where that is not its own: a measuring member belongs to one training set.
    """

    path: Path
    record: ModelRecord
    seen: tuple[Record, ...]
    place: Job | None = None

    @property
    def target(self) -> Path:
        """File of the successor."""
        return self.path if self.place is None else self.place.weights

    @property
    def salt(self) -> str:
        """Of the digests in its record."""
        assert self.record.membership is not None
        return self.record.membership.salt

    @property
    def seed(self) -> int:
        """Of its training."""
        return int(self.record.training.get("seed", 0))

    def by_patient(self) -> dict[str, list[str]]:
        """Patient -> the images of `seen`."""
        found: dict[str, list[str]] = {}
        for record in self.seen:
            found.setdefault(record["patient_id"], []).append(record["image_id"])
        return found


def outdated(*, cohort: Cohort, folder: Path, pairs: Pairs, members: int) -> Iterator[Outdated]:
    """The outdated models of a pool.

    Args:
        cohort: of the present teacher, without a request.
        folder: of the fold teachers.
        pairs: in whose folder the measuring members lie.
        members: measuring members of each fold.

    Raises:
        InputError: a fold teacher has no record of who was in it.
    """
    if not cohort.gone:
        return
    for path in sorted(folder.glob("model_fold*.pt")):
        record = ModelRecord.read(path)
        if record is None or record.membership is None:
            raise InputError(f"{path}: has no record of who was in it; nobody can say whom it knows; train it anew")
        if seen := tuple(seen_of_gone(record.membership, cohort)):
            yield Outdated(path, record, seen)
    yield from _measuring(cohort, pairs, members)


def left_behind(*, cohort: Cohort, pairs: Pairs) -> list[Path]:
    """Models of paired references that know somebody who is gone: of no use to the present teacher, and still there."""
    found = []
    for path in sorted(pairs.folder.glob("*/*/model.pt")):
        record = ModelRecord.read(path)
        if record is not None and record.membership is not None and seen_of_gone(record.membership, cohort):
            found.append(path)
    return found


def _measuring(cohort: Cohort, pairs: Pairs, members: int) -> Iterator[Outdated]:
    """Measuring members of the training set before somebody left it, whose successors are not there yet.

    Those of the fold of who is gone never saw him: as they are they belong to the present training set.
    """
    found: dict[tuple[int, int], list[Outdated]] = {}
    for path in measuring_files(pairs):
        record = ModelRecord.read(path)
        if record is not None and record.membership is not None:
            one = Outdated(path, record, tuple(seen_of_gone(record.membership, cohort)))
            if one.seen or _is_of(one, cohort):
                found.setdefault((record.fold, one.seed), []).append(one)
    mocks = MockRequests(pairs=pairs, cohort=cohort, teacher=pairs.teacher, members=members)
    for fold in sorted({fold for fold, _ in found}):
        for seed, job in zip(mocks.seeds(fold), mocks.measured_by(fold), strict=True):
            if (fold, seed) in found and not job.done():
                yield replace(min(found[fold, seed], key=lambda one: len(one.seen)), place=job)


def measuring_files(pairs: Pairs) -> list[Path]:
    """Files of all measuring members that are whole."""
    found = pairs.folder.glob("fold_out/*/model_fold*.pt")
    return sorted(path for path in found if (path.parent / "done.json").is_file())


def _is_of(one: Outdated, cohort: Cohort) -> bool:
    """Whether it was trained on what a member of its fold is trained on now."""
    now = Membership.of(cohort.training(one.record.fold), one.salt)
    return one.record.membership == now
