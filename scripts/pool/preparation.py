"""`run prepare`: what does not depend on a request is made once a teacher, each part only where it is missing."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from scripts.data.image_store import PRIVATE
from scripts.engines.models import model_path
from scripts.errors import InputError
from scripts.identity import file_digest
from scripts.methods.recipe_file import FILE_NAME, RecipeFile
from scripts.pool.calibration import KEEP, Calibration, Mock
from scripts.pool.candidates import candidates
from scripts.pool.estimate import Estimate
from scripts.pool.fold_pool import FoldPool
from scripts.pool.qualifying import Qualifying
from scripts.pool.trial import Trial
from scripts.record.lock import lock_folder, unlock_folder
from scripts.references.jobs import run_jobs
from scripts.references.pairs import Pairs


class Preparation:
    """Fold teachers, their answers on the selection set, and the recipe.

    Args:
        pool: trains the fold teachers that are missing.
        calibration: finds the recipe.
        qualifying: measures what the recipe does on mock requests.
        estimate: of what it will take.
        procedure: of the reference models, in whose folder mock requests and their students lie.
        write_answers: measures teacher and fold teachers on the selection set and writes that down.
        write_prints: computes the fingerprints of all images and keeps them.
        write_images: prepares all images and keeps them.
        teacher: file of the teacher.
        ancestors: digests of the models that it descends from; a recipe that was found for one of them holds for it.
        folder: of the fold teachers; the recipe is written there.
        batch: images per step of the teacher's training.
        minutes: wall time at most for trials that are still to be made; 0 sets no limit.
        recalibrate: whether a recipe that is there is found anew.
        workers, backend: see `run_jobs`.
    """

    def __init__(
        self,
        *,
        pool: FoldPool,
        calibration: Calibration,
        qualifying: Qualifying,
        estimate: Estimate,
        procedure: Pairs,
        write_answers: Callable[[], None],
        write_prints: Callable[[], None],
        write_images: Callable[[], None],
        teacher: Path,
        ancestors: Collection[str] = (),
        folder: str | Path,
        batch: int,
        minutes: float = 0.0,
        recalibrate: bool = False,
        workers: int = 1,
        backend: str = "local",
    ) -> None:
        self.pool, self.calibration, self.qualifying = pool, calibration, qualifying
        self.estimate, self.procedure = estimate, procedure
        self.write_answers, self.write_prints, self.write_images = write_answers, write_prints, write_images
        self.teacher, self.ancestors = teacher, frozenset(ancestors)
        self.folder, self.batch = Path(folder), int(batch)
        self.minutes, self.recalibrate = float(minutes), bool(recalibrate)
        self.workers, self.backend = int(workers), backend

    def run(self) -> None:
        """Make what is missing.

        Raises:
            InputError: there is no teacher; its settings cannot be prepared for.
            Refused: another command prepares in the same folder.
        """
        if not self.teacher.is_file():
            raise InputError(f"{self.teacher}: no such checkpoint; run train first")
        if not self.pool.folds:
            raise InputError("folds: 0: fold teachers are needed; allowed: auto, or from 2")
        self.procedure.make_folder()
        private = self.folder / PRIVATE
        private.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            # Another command may prepare the same models with another reference_dir.
            lock_folder(self.procedure.folder, setting="reference_dir")
            lock_folder(private, shown=self.folder, setting="fold_dir")
            self._run()
        finally:
            for folder in (self.procedure.folder, private):
                unlock_folder(folder)

    def _run(self) -> None:
        tried = candidates(batch=self.batch)
        members = self._members()
        present = {place for place, path in members.items() if path.is_file()}
        known = RecipeFile.read(self.folder)
        models = {file_digest(self.teacher), *self.ancestors}
        done = known is not None and known.teacher in models and not self.recalibrate
        print(
            f"prepare: {len(members) - len(present)} of {len(members)} fold teachers to be trained;"
            + (
                f" the recipe is there ({self.folder / FILE_NAME})"
                if done
                else f" {len(tried)} recipes to be tried on up to {self.calibration.requests} mock requests"
                + (f", within {self.minutes:g} minutes" if self.minutes else "")
            ),
            flush=True,
        )
        self._tell_cost(len(members) - len(present), done=done)
        self.pool.run(present=present)
        self.write_answers()
        self.write_prints()
        self.write_images()
        if not done:
            self._calibrate()
        self.qualifying.run()

    def _tell_cost(self, missing: int, *, done: bool) -> None:
        tried = candidates(batch=self.batch)
        trainings = missing + (0 if done else self.calibration.requests)
        if not trainings and done:
            return
        # All on the first mock request, the best of each method on the others.
        further = KEEP * len({one.method for one in tried}) * (self.calibration.requests - 1)
        minutes = 0.0 if done else self.estimate.trials(tried) * (1 + further / len(tried))
        if self.minutes:
            minutes = min(minutes, self.minutes)
        print(
            f"prepare: about {self.estimate.trainings(trainings):.0f} minutes for {trainings} trainings and"
            f" {minutes:.0f} for trials, by a step's time on this machine; reading images comes on top",
            flush=True,
        )

    def _members(self) -> dict[tuple[int, int], Path]:
        """Fold and member -> its file; one that is there may have been brought along, and is taken as it is."""
        return {
            (fold, member): model_path(model_dir=str(self.folder), model_name="", fold=fold, member=member)
            for fold in range(self.pool.folds)
            for member in range(self.pool.members)
        }

    def _calibrate(self) -> None:
        start = time.monotonic()
        mocks = self.calibration.mocks()
        self._train_measures(mocks)
        until = start + self.minutes * 60 if self.minutes else float("inf")
        trials = self.calibration.run(candidates(batch=self.batch), mocks, until=until)
        if not trials:
            raise InputError(
                f"prepare_minutes: {self.minutes:g} were over before a recipe was tried; what was trained is kept: run"
                " prepare again"
            )
        on = self.calibration.patients(mocks)
        found = recipe_file(trials, teacher=file_digest(self.teacher), calibrated_on=on)
        print(f"prepare: {found.preference[0]} is preferred; written to {found.write(self.folder)}", flush=True)
        for name in found.preference:
            print(f"prepare: {name}: {found.reasons[name]}", flush=True)

    def _train_measures(self, mocks: Sequence[Mock]) -> None:
        jobs = [mock.measure for mock in mocks]
        missing = sum(not job.done() for job in jobs)
        seconds = [found for job in jobs if (found := job.seconds()) is not None]
        cost = f", about {missing * sum(seconds) / len(seconds) / 60:.1f} minutes" if seconds and missing else ""
        print(f"prepare: {missing} of {len(jobs)} measuring models to be trained{cost}", flush=True)
        run_jobs(jobs, workers=self.workers, backend=self.backend)


def recipe_file(trials: Sequence[Trial], *, teacher: str, calibrated_on: Sequence[str] = ()) -> RecipeFile:
    """The best trial of each method, the best method first."""
    best: dict[str, Trial] = {}
    for trial in trials:
        best.setdefault(trial.candidate.method, trial)
    counts = {name: len(trial.measured) for name, trial in best.items()}
    return RecipeFile(
        teacher=teacher,
        preference=list(best),
        reasons={name: f"on {counts[name]} mock requests: {trial.told()}" for name, trial in best.items()},
        settings={name: trial.candidate.settings for name, trial in best.items()},
        calibrated_on=calibrated_on,
        trials=[trial.as_dict() for trial in trials],
    )
