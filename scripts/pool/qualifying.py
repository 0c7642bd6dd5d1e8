"""The last part of preparation: the procedure is measured on mock requests, by size, and what is found is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scripts.cohort import Cohort
from scripts.errors import InputError
from scripts.files import write_json
from scripts.identity import code_identity, file_digest
from scripts.methods.recipe_file import RecipeFile
from scripts.pool.mock_requests import ONE, MockRequest, MockRequests
from scripts.pool.mock_scoring import MockScoring
from scripts.record.mock_scores import told
from scripts.record.phase import procedure_digest
from scripts.record.qualification import FILE_NAME, VERSION, Qualification
from scripts.record.request_size import RequestSize
from scripts.references.jobs import Job, run_jobs
from scripts.references.pairs import Pairs
from scripts.verify.mock_requests import LEAST_REQUESTS


class Qualifying:
    """Makes what is missing of the models of mock requests, scores them, and writes `qualification.json`.

    Args:
        pairs: how members are trained.
        answering: cohort of a mock request -> how `method: auto` answers it.
        cohort: without a request: everybody is retained.
        scoring: of mock requests.
        teacher: file of the teacher.
        folder: of the fold teachers, where the file is written.
        requests: mock requests of each size at most; 0 leaves this part out.
        size: of a mock request; those that were measured before are measured again where anything else changed.
        members: measuring members of each fold.
        workers, backend: see `run_jobs`.
    """

    def __init__(
        self,
        *,
        pairs: Pairs,
        answering: Callable[[Cohort], Pairs],
        cohort: Cohort,
        scoring: MockScoring,
        teacher: Path,
        folder: str | Path,
        requests: int,
        size: RequestSize = ONE,
        members: int = 3,
        workers: int = 1,
        backend: str = "local",
    ) -> None:
        self.pairs, self.answering, self.cohort, self.scoring = pairs, answering, cohort, scoring
        self.teacher, self.folder = teacher, Path(folder)
        self.requests, self.size, self.members = int(requests), size, int(members)
        self.workers, self.backend = int(workers), backend

    def run(self) -> None:
        """Qualify by each size for which there are enough patients; say for which there are not."""
        if not self.requests:
            return
        if RecipeFile.read(self.folder) is None:
            raise InputError(f"{self.folder}: no recipe.json; run prepare again")
        about = {"teacher": file_digest(self.teacher), "data": self.pairs.data_key, "code": code_identity()}
        known = Qualification.read(self.folder)
        asked = sorted({self.size, *(known.wanted if known is not None else ())})
        for place, size in enumerate(asked):
            mocks = MockRequests(
                pairs=self.pairs,
                answering=self.answering,
                cohort=self.cohort,
                teacher=self.teacher,
                count=self.requests,
                size=size,
                members=self.members,
            )
            if problem := mocks.problem():
                print(f"prepare: no evidence from mock requests of {size}: {problem}", flush=True)
                continue
            drawn = mocks.drawn()
            keys = [mock.student.key for mock in drawn]
            if known is not None and known.same(about, size=size, keys=keys):
                tell(known, size)
                continue
            known = self._qualify(known, about, size, mocks, drawn, later=asked[place + 1 :])
            tell(known, size)

    def _qualify(
        self,
        known: Qualification | None,
        about: dict[str, Any],
        size: RequestSize,
        mocks: MockRequests,
        drawn: Sequence[MockRequest],
        later: Sequence[RequestSize],
    ) -> Qualification:
        members = {fold: mocks.measured_by(fold) for fold in sorted({fold for mock in drawn for fold in mock.records})}
        jobs = [*(job for own in members.values() for job in own), *(mock.student for mock in drawn)]
        print(f"prepare: {len(drawn)} mock requests of {size}; {_cost(jobs)}", flush=True)
        run_jobs(jobs, workers=self.workers, backend=self.backend)
        measuring = {fold: [job.weights for job in own] for fold, own in members.items()}
        scored = self.scoring.requests([(mock.records, mock.student.weights) for mock in drawn], measuring)
        content = {
            "requests": [
                {"recipe": procedure_digest(mock.student.folder), **row}
                for mock, row in zip(drawn, scored, strict=True)
            ],
            "keys": [mock.student.key for mock in drawn],
            "members": self.members,
            "recovery_steps": self.scoring.steps,
        }
        sizes = known.content["sizes"] if known is not None and known.about == about else {}
        whole = {"version": VERSION, **about, "sizes": {**sizes, size.key: content}}
        whole["wanted"] = sorted({*whole["sizes"], *(one.key for one in later)})
        write_json(self.folder / FILE_NAME, whole)
        found = Qualification.read(self.folder)
        assert found is not None
        return found


def tell(known: Qualification, size: RequestSize) -> None:
    """Print what mock requests of a size say, of each way in which they were answered."""
    for recipe, rows in known.answered(size).items():
        few = len(rows) < LEAST_REQUESTS
        said = (
            f"{len(rows)} are too few, at least {LEAST_REQUESTS} are needed"
            if few
            else told(known.measured(size, recipe).procedure())
        )
        print(f"prepare: mock requests of {size}: {said}", flush=True)


def _cost(jobs: Sequence[Job]) -> str:
    missing = [job for job in jobs if not job.done()]
    seconds = [found for job in jobs if (found := job.seconds()) is not None]
    if not missing:
        return "all models are there"
    known = f", about {len(missing) * sum(seconds) / len(seconds) / 60:.0f} minutes" if seconds else ""
    return f"{len(missing)} of {len(jobs)} models to be made{known}"
