"""`run renew`: which models of the pool still know somebody who is gone, and each is renewed.

By unlearning, as a request is answered: the member is the teacher, and its targets are what fold teachers of the gone
patients' own folds say of their images. Or by training it again. What is not renewed is refused where it would be used.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scripts.chain import overrides
from scripts.cohort import Cohort
from scripts.cohort.cohort import image_ids, units
from scripts.cohort.membership import record_path, salted
from scripts.cohort.model_record import ModelRecord
from scripts.cohort.provenance import seen_of_gone
from scripts.data.image_store import PRIVATE
from scripts.errors import InputError
from scripts.files import read_json, write_bytes, write_json
from scripts.identity import file_digest
from scripts.messages import number_of
from scripts.methods.erase_to_retain import EraseToRetain
from scripts.methods.recipe_file import RecipeFile
from scripts.pool.candidates import Candidate
from scripts.pool.fold_pool import Training
from scripts.pool.outdated import Outdated, left_behind, measuring_files, outdated
from scripts.record.lock import lock_folder, unlock_folder
from scripts.references.controls import write_request
from scripts.references.jobs import Job, digest, run_jobs
from scripts.references.pairs import Pairs
from scripts.workers import run_tasks

UNLEARN, NONE = "unlearn", "none"


class Renewal:
    """Brings a pool up to the present teacher.

    Args:
        pairs_for: candidate -> how it answers a request.
        cohort: of the present teacher, without a request: everybody is retained but who is gone.
        folder: of the fold teachers.
        by: `unlearn`, `retrain`, or `none`, which only says what would be renewed.
        members: measuring members of each fold.
        workers, backend: see `run_tasks`.
    """

    def __init__(
        self,
        *,
        pairs_for: Callable[[Candidate | None], Pairs],
        cohort: Cohort,
        folder: str | Path,
        by: str = UNLEARN,
        members: int = 3,
        workers: int = 1,
        backend: str = "local",
    ) -> None:
        self.pairs_for, self.cohort, self.folder, self.by = pairs_for, cohort, Path(folder), str(by)
        self.members, self.workers, self.backend = int(members), int(workers), backend
        self.pairs = pairs_for(None)
        self.work = self.pairs.folder / "renewed"  # requests, checkpoints and states of who is gone lie here
        self.plan = self.work / "installing.json"  # there only while renewed models are put in place

    def run(self) -> None:
        """Renew, from where an interrupted run stopped.

        Raises:
            InputError: a model has no record of who was in it; a patient is gone in part.
            Refused: another command is at work in the pool.
        """
        if self.by == NONE:
            self._tell(self._outdated())
            return
        self.pairs.make_folder()
        private = self.folder / PRIVATE
        private.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            lock_folder(self.pairs.folder, setting="reference_dir")
            lock_folder(private, shown=self.folder, setting="fold_dir")
            self._install()
            found = self._outdated()
            self._tell(found)
            for one in found:
                if not one.seen:
                    _keep(one)
            known = [one for one in found if one.seen]
            again = self._circular(known) if self.by == UNLEARN else known
            if again:
                self._retrain(again)
            if left := [one for one in known if one not in again]:
                self._unlearn(left)
            self._remove_mock_students()
            self._remove_measuring()
        finally:
            for folder in (self.pairs.folder, private):
                unlock_folder(folder)

    def _outdated(self) -> list[Outdated]:
        return list(outdated(cohort=self.cohort, folder=self.folder, pairs=self.pairs, members=self.members))

    def _tell(self, found: Sequence[Outdated]) -> None:
        gone = len(units(self.cohort.gone))
        known = [one for one in found if one.seen]
        models, patients = number_of(len(known), "model"), number_of(gone, "patient")
        print(f"renew: {patients} gone; {models} of the pool to be renewed", flush=True)
        for one in known:
            seen = f"{number_of(len(one.by_patient()), 'patient')} with {number_of(len(one.seen), 'image')}"
            print(f"renew: {one.path}: knows {seen}", flush=True)
        if left := left_behind(cohort=self.cohort, pairs=self.pairs):
            told = f"{number_of(len(left), 'model')} of earlier references, the first is {left[0]}"
            print(f"renew: still with you: {told}; they know who is gone, remove them", flush=True)

    def _circular(self, known: Sequence[Outdated]) -> list[Outdated]:
        """Fold teachers that would be targets here and know somebody else who is gone: patients of several folds went
        at once, and no teacher of theirs is clean. They are trained again, and then say what the others are to answer.
        """
        recorded = self.cohort.recorded
        assert recorded is not None, "models of a pool have a recorded split"
        asked = {recorded.fold.get(recorded.digest(patient)) for one in known for patient in one.by_patient()}
        return [one for one in known if one.place is None and one.record.fold in asked]

    def _unlearn(self, found: Sequence[Outdated]) -> None:
        """All are made before the first is put in place: whatever is interrupted, each has the same targets."""
        for one in found:
            _check_whole_patients(one)
        pairs = self.pairs_for(self._recipe())
        jobs = [self._job(pairs, one) for one in found]
        run_jobs(jobs, workers=self.workers, backend=self.backend)
        rows = [_staged(one, job) for one, job in zip(found, jobs, strict=True)]
        write_json(self.plan, {"files": rows})
        self._install()

    def _recipe(self) -> Candidate:
        """Of Erase to Retain: a model that saw neither the member's fold nor who is gone, to start from, is nowhere."""
        found, name = RecipeFile.read(self.folder), EraseToRetain.name
        return Candidate(name, found.settings.get(name, {}) if found is not None else {})

    def _job(self, pairs: Pairs, one: Outdated) -> Job:
        images = image_ids(one.seen)
        key = digest([salted(one.salt, "image", image) for image in images])
        request = self.work / f"request_{key[:16]}.csv"
        write_request(request, name="renew", patients=images, level="image")
        return pairs.renewed(one.path, request, fold=one.record.fold, seed=one.seed, key=key)

    def _install(self) -> None:
        """Put renewed models in place of what they were made of, or go on with that after an interruption."""
        if self.plan.is_file():
            for row in read_json(self.plan, remedy="set renew_by: retrain, and remove it")["files"]:
                staged, target = Path(row["staged"]), Path(row["target"])
                write_bytes(record_path(target), record_path(staged).read_bytes())
                write_bytes(target, staged.read_bytes())
                if row["done"]:
                    write_json(target.parent / "done.json", {**row["done"], "weights": file_digest(target)})
                    shutil.rmtree(row["older"], ignore_errors=True)
                print(f"renew: {target}: renewed by unlearning", flush=True)
        shutil.rmtree(self.work, ignore_errors=True)

    def _retrain(self, found: Sequence[Outdated]) -> None:
        tasks = [self._training(one) for one in found if one.place is None]
        run_tasks(tasks, workers=self.workers, backend=self.backend)
        run_jobs([one.place for one in found if one.place is not None], workers=self.workers, backend=self.backend)
        for one in found:
            if one.place is not None:
                shutil.rmtree(one.path.parent, ignore_errors=True)
            print(f"renew: {one.target}: trained again", flush=True)

    def _training(self, one: Outdated) -> Training:
        """The fold teacher's training without who is gone, in its place."""
        fold, stem = one.record.fold, one.path.stem
        member = int(stem.removeprefix(f"model_fold{fold}").removeprefix("_") or 0)
        own = {**overrides(self.pairs.settings, "train"), "folds": one.record.split["folds"], "fold": fold}
        own |= {"member": member, "seed": one.seed, "overwrite": True}
        own |= {"model_dir": str(self.folder), "split_dir": str(self.pairs.split_dir)}
        own["output_dir"] = str(self.pairs.folder / "folds" / f"fold{fold}_{member}")
        return Training(str(self.pairs.config_dir / "train.yaml"), own)

    def _remove_mock_students(self) -> None:
        """Remove the students of mock requests on an earlier teacher: it knew who is gone, and they are of no use."""
        folder, teacher = self.pairs.folder / "mock", file_digest(self.pairs.teacher)
        noted = folder / "teacher.json"
        known = read_json(noted, remedy="remove it").get("teacher") if noted.is_file() else ""
        if self.cohort.gone and folder.is_dir() and known != teacher:
            shutil.rmtree(folder)
            folder.mkdir(mode=0o700)
            write_json(noted, {"teacher": teacher})

    def _remove_measuring(self) -> None:
        """Remove measuring members that know who is gone: each has its successor, or is of no use any more."""
        for path in measuring_files(self.pairs):
            record = ModelRecord.read(path)
            if record is not None and record.membership is not None and seen_of_gone(record.membership, self.cohort):
                shutil.rmtree(path.parent, ignore_errors=True)


def _keep(one: Outdated) -> None:
    """Put a measuring member that never saw who is gone where the present training set looks for it."""
    assert one.place is not None, "a fold teacher that saw nobody who is gone is not outdated"
    write_bytes(record_path(one.target), record_path(one.path).read_bytes())
    write_bytes(one.target, one.path.read_bytes())
    done = read_json(one.path.parent / "done.json", remedy="remove its folder")
    write_json(one.target.parent / "done.json", {**done, "key": one.place.key})
    shutil.rmtree(one.path.parent, ignore_errors=True)


def _staged(one: Outdated, job: Job) -> dict[str, Any]:
    """Write what is to be put in place, whole, and say where it belongs."""
    staged = job.folder / "staged" / one.target.name
    one.record.without(one.by_patient()).write(staged, weights=file_digest(job.weights))
    write_bytes(staged, job.weights.read_bytes())
    done = {} if one.place is None else {"key": one.place.key, "seconds": job.seconds() or 0.0}
    return {"staged": str(staged), "target": str(one.target), "older": str(one.path.parent), "done": done}


def _check_whole_patients(one: Outdated) -> None:
    """Raise InputError where a patient is gone in part: unlearning by patient would take out the rest as well."""
    for patient, images in one.by_patient().items():
        if one.record.images_of.get(salted(one.salt, "patient", patient), len(images)) > len(images):
            raise InputError(
                f"{one.path}: other images of patient '{patient}' stay in it, which unlearning would take out as well;"
                " set renew_by: retrain"
            )
