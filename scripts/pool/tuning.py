"""`run tune`: settings of methods that bring students nearest to models which never saw the patients."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scripts.errors import InputError, Refused, user_error
from scripts.identity import file_digest
from scripts.methods.method import Method
from scripts.methods.recipe_file import RecipeFile
from scripts.methods.space import space
from scripts.pool.calibration import Calibration
from scripts.pool.candidates import Candidate
from scripts.pool.measuring import Mock
from scripts.pool.trial import Trial
from scripts.record.lock import lock_folder, unlock_folder
from scripts.references.jobs import run_jobs

HARM = 10.0  # added to the distance of a trial that loses what the clinical guard does not allow
FAILED = 100.0  # distance of a trial whose training failed


@dataclass(frozen=True)
class Tuned:
    """What was found for a method.

    Attributes:
        trial: the nearest one; None where all failed.
        seconds: CPU seconds of the trials that came to an end.
        count: of all trials.
    """

    trial: Trial | None
    seconds: float
    count: int


class Tuning:
    """Tries settings of each method on mock requests, as many of each method, and keeps the nearest in `recipe.json`.

    Never the lowest forget score: the distance of score and answers to models of the fold that the patients were left
    out of, see `distance`.

    Args:
        methods: names of those that are tuned.
        method_of: candidate -> the method.
        calibration: runs and measures candidates.
        teacher: file of the teacher.
        folder: of `recipe.json`.
        trials: of each method; the first is as published.
        seed: of what is tried.
        workers, backend: of measuring models, see `run_jobs`.
    """

    def __init__(
        self,
        *,
        methods: Sequence[str],
        method_of: Callable[[Candidate], Method],
        calibration: Calibration,
        teacher: Path,
        folder: Path,
        trials: int,
        seed: int,
        workers: int = 1,
        backend: str = "local",
    ) -> None:
        self.methods, self.method_of, self.calibration = list(methods), method_of, calibration
        self.teacher, self.folder = teacher, Path(folder)
        self.trials, self.seed = int(trials), int(seed)
        self.workers, self.backend = int(workers), backend

    def run(self) -> None:
        """Tune each method; what was tried already is not tried again.

        Raises:
            InputError: there are fewer folds than mock requests; optuna is missing.
            Refused: another command works on the same models.
        """
        _require_optuna()
        private = self.folder / "private"
        private.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock_folder(private, shown=self.folder, setting="fold_dir")
        try:
            mocks = self.calibration.mocks()
            jobs = [mock.measure for mock in mocks]
            print(f"tune: {sum(not job.done() for job in jobs)} measuring models to be trained", flush=True)
            run_jobs(jobs, workers=self.workers, backend=self.backend)
            for name in self.methods:
                found = self._tuned(name, mocks)
                self._write(name, found, mocks)
        finally:
            unlock_folder(private)

    def _tuned(self, name: str, mocks: Sequence[Mock]) -> Tuned:
        ranges = space(self.method_of(Candidate(name, {})))
        if not ranges:
            raise Refused(f"tune_methods: '{name}' has nothing to tune; leave it out")
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=self.seed))
        published = self.method_of(Candidate(name, {})).as_settings()
        study.enqueue_trial({setting: published[setting] for setting in ranges})
        tried: list[Trial] = []
        start = time.perf_counter()

        def objective(trial: Any) -> float:
            settings = {setting: own.draw(trial, setting) for setting, own in ranges.items()}
            try:
                measured = self.calibration.tried(Candidate(name, settings), mocks)
            except Exception as error:  # a rate at which training ends without a number is a result too
                print(f"tune: {name}: a trial failed: {user_error(error) or error!r}", flush=True)
                return FAILED
            tried.append(Trial(Candidate(name, settings), measured))
            return distance(tried[-1])

        study.optimize(objective, n_trials=self.trials)
        best = min(tried, key=distance, default=None)
        seconds = sum(one.seconds * len(one.measured) for one in tried)
        failed = f", {self.trials - len(tried)} failed" if len(tried) < self.trials else ""
        told = "every trial failed" if best is None else f"{best.candidate.told}: distance {distance(best):.3f}"
        wall = time.perf_counter() - start
        print(f"tune: {name}: {self.trials} trials{failed}, {seconds:.0f} CPU s ({wall:.0f} s): {told}", flush=True)
        return Tuned(best, seconds, self.trials)

    def _write(self, name: str, found: Tuned, mocks: Sequence[Mock]) -> None:
        """Put the nearest settings into `recipe.json`; what prepare preferred stays preferred."""
        digest = file_digest(self.teacher)
        known = RecipeFile.read(self.folder)
        if known is None or known.teacher != digest:
            known = RecipeFile(teacher=digest, preference=[], reasons={}, settings={})
        cost: dict[str, Mapping[str, float]] = {
            **known.tuning,
            name: {"cpu_seconds": round(found.seconds, 1), "trials": found.count},
        }
        settings = dict(known.settings)
        reasons = dict(known.reasons)
        if found.trial is not None:
            settings[name] = found.trial.candidate.settings
            reasons[name] = f"tuned in {found.count} trials on {len(mocks)} mock requests: {found.trial.told()}"
        patients = sorted({*known.calibrated_on, *self.calibration.patients(mocks)})
        replace(known, settings=settings, reasons=reasons, calibrated_on=patients, tuning=cost).write(self.folder)


def distance(trial: Trial) -> float:
    """|a - a_R| / |a_T - a_R| of the coarse answers + |1 - FF| of the score, and `HARM` where too much is lost.

    Where the teacher does not stand out by score, the answers alone.
    """
    apart = trial.nearness + (abs(1 - trial.fraction) if trial.fraction is not None else 0.0)
    return apart + (HARM if trial.harmful else 0.0)


def _require_optuna() -> None:
    try:
        import optuna  # noqa: F401, whether it is there
    except ImportError as error:
        raise InputError("tune needs optuna, which is not installed: pip install optuna") from error
