"""The last part of preparation: the procedure is measured on mock requests, by size, and what is found is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scripts.cohort import Cohort
from scripts.errors import InputError
from scripts.files import write_json
from scripts.identity import code_identity, file_digest
from scripts.messages import number_of
from scripts.methods.recipe_file import RecipeFile
from scripts.pool.candidates import Candidate
from scripts.pool.mock_requests import MockRequest, MockRequests
from scripts.pool.mock_scoring import MockScoring
from scripts.record.phase import procedure_digest
from scripts.record.qualification import FILE_NAME, VERSION, Qualification, told
from scripts.references.jobs import Job, run_jobs
from scripts.references.pairs import Pairs


class Qualifying:
    """Makes what is missing of the models of mock requests, scores them, and writes `qualification.json`.

    Args:
        pairs_for: candidate -> how it answers a request.
        cohort: without a request: everybody is retained.
        scoring: of mock requests.
        teacher: file of the teacher.
        folder: of the fold teachers, where the file is written.
        requests: mock requests of each size at most; 0 leaves this part out.
        sizes: patients of a mock request.
        members: measuring members of each fold.
        workers, backend: see `run_jobs`.
    """

    def __init__(
        self,
        *,
        pairs_for: Callable[[Candidate | None], Pairs],
        cohort: Cohort,
        scoring: MockScoring,
        teacher: Path,
        folder: str | Path,
        requests: int,
        sizes: Sequence[int] = (1,),
        members: int = 3,
        workers: int = 1,
        backend: str = "local",
    ) -> None:
        self.pairs_for, self.cohort, self.scoring = pairs_for, cohort, scoring
        self.teacher, self.folder = teacher, Path(folder)
        self.requests, self.sizes, self.members = int(requests), tuple(int(size) for size in sizes), int(members)
        self.workers, self.backend = int(workers), backend

    def run(self) -> None:
        """Qualify by each size for which there are enough patients; say for which there are not."""
        if not self.requests:
            return
        pairs = self.pairs_for(self._procedure())
        about = {"teacher": file_digest(self.teacher), "data": pairs.data_key, "code": code_identity()}
        known = Qualification.read(self.folder)
        for size in self.sizes:
            of = number_of(size, "patient")
            mocks = MockRequests(
                pairs=pairs,
                cohort=self.cohort,
                teacher=self.teacher,
                count=self.requests,
                size=size,
                members=self.members,
            )
            if problem := mocks.problem():
                print(f"prepare: no evidence from mock requests of {of}: {problem}", flush=True)
                continue
            drawn = mocks.drawn()
            keys = [mock.student.key for mock in drawn]
            if known is not None and known.same(about, size=size, keys=keys):
                print(f"prepare: mock requests of {of}: {told(known.procedure(size))}", flush=True)
                continue
            known = self._qualify(known, about, size, mocks, drawn)
            print(f"prepare: mock requests of {of}: {told(known.procedure(size))}", flush=True)

    def _procedure(self) -> Candidate:
        """What `method: auto` does."""
        found = RecipeFile.read(self.folder)
        if found is None:
            raise InputError(f"{self.folder}: no recipe.json; run prepare again")
        method = found.preference[0]
        return Candidate(method, found.settings[method])

    def _qualify(
        self,
        known: Qualification | None,
        about: dict[str, Any],
        size: int,
        mocks: MockRequests,
        drawn: Sequence[MockRequest],
    ) -> Qualification:
        members = {fold: mocks.measured_by(fold) for fold in sorted({mock.fold for mock in drawn})}
        jobs = [*(job for own in members.values() for job in own), *(mock.student for mock in drawn)]
        print(f"prepare: {len(drawn)} mock requests of {number_of(size, 'patient')}; {_cost(jobs)}", flush=True)
        run_jobs(jobs, workers=self.workers, backend=self.backend)
        scored: list[dict[str, Any]] = []
        for fold, measuring in members.items():
            own = [(mock.records, mock.student.weights) for mock in drawn if mock.fold == fold]
            scored += self.scoring.fold(own, [job.weights for job in measuring])
        content = {
            "requests": scored,
            "keys": [mock.student.key for mock in drawn],
            "members": self.members,
            "recipes": sorted({procedure_digest(mock.student.folder) for mock in drawn}),
            "recovery_steps": self.scoring.steps,
        }
        sizes = known.sizes if known is not None and known.about == about else {}
        whole = {"version": VERSION, **about, "sizes": {**sizes, str(size): content}}
        write_json(self.folder / FILE_NAME, whole)
        found = Qualification.read(self.folder)
        assert found is not None
        return found


def _cost(jobs: Sequence[Job]) -> str:
    missing = [job for job in jobs if not job.done()]
    seconds = [found for job in jobs if (found := job.seconds()) is not None]
    if not missing:
        return "all models are there"
    known = f", about {len(missing) * sum(seconds) / len(seconds) / 60:.0f} minutes" if seconds else ""
    return f"{len(missing)} of {len(jobs)} models to be made{known}"
