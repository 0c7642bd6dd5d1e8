"""`run verify` without references of the request's own: its student beside members that preparation made."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.cohort.cohort import Record
from scripts.cohort.model_record import ModelRecord
from scripts.cohort.provenance import check_fold_teacher
from scripts.errors import InputError
from scripts.files import read_json, write_json
from scripts.identity import code_identity, file_digest
from scripts.pool.mock_requests import MockRequests
from scripts.pool.mock_scoring import MockScoring
from scripts.record.amortised_evidence import KIND
from scripts.record.judgement import SCORES
from scripts.record.paired_evidence import KIND as PAIRED
from scripts.record.phase import procedure_digest
from scripts.record.qualification import Qualification
from scripts.record.request_size import RequestSize
from scripts.record.tries import Tries
from scripts.references.jobs import Job
from scripts.references.scoring import Scoring
from scripts.verify.contrasts import MARGIN

if TYPE_CHECKING:
    from scripts.workspace import Workspace

AUTO = "auto"


class Answering:
    """Chooses the evidence, and scores what the amortised kind needs; nothing is trained.

    Args:
        workspace: of the command; its data and models are made only where they are needed.
        wanted: `auto` takes references of this request where they are scored, else mock requests where they fit;
            `amortised` or `paired` insist.
        members: measuring members of each fold.
    """

    def __init__(self, *, workspace: Workspace, wanted: str = AUTO, members: int = 3) -> None:
        self.workspace, self.wanted, self.members = workspace, str(wanted), int(members)

    def run(self) -> None:
        """Write `private/scores.json` where the evidence is amortised, and say which evidence is used.

        Raises:
            InputError: the evidence that was asked for is not there, with what to do.
        """
        folder = self.workspace.folder
        folder.refuse_ended()
        there = self._scored(folder.private / SCORES)
        if self.wanted == PAIRED or (self.wanted == AUTO and there == PAIRED):
            print("verify: judged by paired references", flush=True)
            return
        if there == KIND:
            print("verify: judged by mock requests, scored before", flush=True)
            return
        qualification, problem = self._fitting()
        if qualification is None:
            remedy = "" if self.wanted == KIND else ", or run references for this request"
            raise InputError(f"evidence: {self.wanted}: {problem}{remedy}")
        self._score(qualification)
        print("verify: judged by mock requests", flush=True)

    def _scored(self, path: Path) -> str:
        """Kind of the evidence that is scored for this very student; empty where there is none."""
        if not os.path.lexists(path):
            return ""
        found = read_json(path, remedy="run references again")
        student = self.workspace.folder.student
        own = file_digest(student) if student.is_file() else ""
        digests = found.get("digests")
        fits = isinstance(digests, dict) and digests.get("delivered") == own
        return str(found.get("evidence")) if fits else ""

    def _fitting(self) -> tuple[Qualification | None, str]:
        """What mock requests said of this procedure, and why they do not speak for this request."""
        work = self.workspace
        found = Qualification.read(work.fold_dir)
        if found is None:
            return None, f"{work.fold_dir} holds no qualification.json; run prepare"
        cohort = work.cohort
        if any(cohort.fold_of(record) < 0 for record in cohort.forget):
            return None, "mock requests are of patients of a fold, and not all of this request are in one"
        recipe = procedure_digest(work.checked_folder.root)
        problem = found.problem(self._about(), size=self._size(), recipe=recipe)
        return (None, problem) if problem else (found, "")

    def _about(self) -> dict[str, Any]:
        work = self.workspace
        return {
            "teacher": file_digest(work.teacher_path),
            "data": work.reference_models.data_key,
            "code": code_identity(),
        }

    def _size(self) -> RequestSize:
        patients = {record["patient_id"] for record in self.workspace.cohort.forget}
        return RequestSize.of(len(patients), self._asked())

    def _asked(self) -> dict[int, list[Record]]:
        """The images of the request, by fold."""
        found: dict[int, list[Record]] = {}
        for record in self.workspace.cohort.forget:
            found.setdefault(self.workspace.cohort.fold_of(record), []).append(record)
        return dict(sorted(found.items()))

    def _score(self, qualification: Qualification) -> None:
        work, folder = self.workspace, self.workspace.checked_folder
        asked = self._asked()
        by_fold = {fold: self._members(fold, records) for fold, records in asked.items()}
        members = [job for jobs in by_fold.values() for job in jobs]
        about, size = self._about(), self._size()
        measured = qualification.measured(size, procedure_digest(folder.root))
        plan = Tries(folder).plan(
            {
                "evidence": KIND,
                "mock_requests": len(measured.rows),
                "patients": size.patients,
                "several_folds": size.several,
                "members": [job.key for job in members],
                "margin": MARGIN,
                "recovery_steps": measured.recovery_steps,
                "delivered": file_digest(folder.student),
            }
        )
        shared: dict[str, Any] = {"loaders": work.loaders, "network": work.network_def, "task": work.task}
        shared["arithmetic"] = work.arithmetic
        scoring = Scoring(**shared)
        mock = MockScoring(teacher=work.teacher_path, **shared)
        measuring = {fold: [job.weights for job in jobs] for fold, jobs in by_fold.items()}
        (said,) = mock.requests([(asked, folder.student)], measuring)
        content = {
            "evidence": KIND,
            "plan": plan,
            "data": about["data"],
            "code": about["code"],
            "qualification": qualification.content,
            "sets": scoring.images(),
            "said": {"patients": size.patients, "several_folds": size.several, **said},
            "delivered": scoring.model(folder.student),
            "teacher": scoring.model(work.teacher_path),
            "members": [_member(job, scoring) for job in members],
            "agreement": _agreement(scoring, work.teacher_path, folder.student, members),
            "trusted": bool(work.cohort.resolution.get("trusted")),
            "digests": {"delivered": file_digest(folder.student), "teacher": about["teacher"]},
        }
        write_json(folder.private / SCORES, content)

    def _members(self, fold: int, records: Sequence[Record]) -> list[Job]:
        """Members of a fold, which are there and never saw its patients of the request.

        Raises:
            InputError: one is missing, or saw a patient of the request.
        """
        work = self.workspace
        requests = MockRequests(
            pairs=work.reference_models,
            cohort=work.cohort,
            teacher=work.teacher_path,
            members=self.members,
        )
        jobs = requests.measured_by(fold)
        for job in jobs:
            if not job.done():
                raise InputError(
                    f"reference_dir: {work.settings.reference_dir} lacks members of the request's fold; run prepare"
                    " with the settings of this command, or give those that prepare was given"
                )
            check_fold_teacher(job.weights, work.cohort, records, trust_unrecorded=work.settings.trust_unrecorded)
        return jobs


def _member(job: Job, scoring: Scoring) -> dict[str, Any]:
    """What a measuring member says, and of how many patients it was only unlearned, not trained without them."""
    record = ModelRecord.read(job.weights)
    unlearned = record.unlearned if record is not None else 0
    return {"digest": file_digest(job.weights), "values": scoring.model(job.weights), "unlearned": unlearned}


def _agreement(scoring: Scoring, teacher: Path, student: Path, members: Sequence[Job]) -> dict[str, Any]:
    """With the teacher: of the delivered model, and of models that never saw the patients."""
    delivered, *others = scoring.agreement(teacher, [student, *(job.weights for job in members)])
    return {"delivered": delivered, "retrained": others}
