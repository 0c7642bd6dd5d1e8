"""What a pool of pairs consists of: for each seed an original, its retrained twin and an unlearned model of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.chain import overrides
from scripts.cohort.model_record import ModelRecord
from scripts.errors import InputError
from scripts.identity import Identity, code_identity, file_digest
from scripts.methods.choice import AUTO
from scripts.record.exchangeable import alike_problem
from scripts.references.jobs import Job, Step, digest
from scripts.settings.config_file import read_config
from scripts.settings.given import Settings
from scripts.settings.schema import SETTINGS
from scripts.settings.values import read_value

# Settings of a model that its key holds otherwise: who is left out, the seed, how the last epoch is chosen.
APART = frozenset("folds fold seed select patience forget_ratio".split())
FOLDERS = {"original": "originals"}
NEVER_SELECTED = {"select": "last", "patience": 0}  # a checkpoint chosen by a metric would not be paired
MOST_PAIRS = 256  # no plan asks for more
TRAINING = ("forget", "retain")  # together the training set

Contents = Mapping[str, Mapping[str, Mapping[str, str]]]


class Pairs:
    """The jobs of a pool.

    Args:
        config_dir: folder of the workflow files.
        folder: of the pool; originals in it serve every request.
        settings: of the workflow, and what was given for those that it runs.
        contents: set -> patient -> image id -> digest: a corrected label makes another original.
        fold_dir: folder of the fold teachers.
        teacher: weights of the delivered model's original: the pool is trained on its images and no others.
        split_dir: folder of the teacher's recorded split, which all models of the pool share.
        first_seed: of the first pair.
        making: phase -> settings that the delivered student's method found where the config left them open; the
            phases that make a student, in their order.
    """

    def __init__(
        self,
        *,
        config_dir: str | Path,
        folder: str | Path,
        settings: Settings,
        contents: Contents,
        fold_dir: str | Path,
        teacher: str | Path,
        split_dir: str | Path,
        first_seed: int,
        making: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self.making = making
        self.config_dir, self.folder = Path(config_dir), Path(folder)
        self.settings, self.request = settings, str(settings.get("request", ""))
        self.contents = contents
        self.fold_dir, self.split_dir, self.first_seed = Path(fold_dir), Path(split_dir), int(first_seed)
        self.teacher = Path(teacher)

    @property
    def data_key(self) -> str:
        """Digest of the training set, of the images and labels in it, and of the selection set."""
        training = {patient: images for name in TRAINING for patient, images in self.contents[name].items()}
        return digest([training, self.contents["selection"]])

    @property
    def forget_key(self) -> str:
        """Digest of what is to be forgotten."""
        return digest(self.contents["forget"])

    @property
    def training(self) -> dict[str, Any]:
        """The settings that the pool's models are trained with, as a record holds them."""
        return self._procedure("train", NEVER_SELECTED, apart=("folds", "fold", "forget_ratio"))

    def make_folder(self) -> None:
        """Make the folder of the pool, for its owner alone: its models were trained on patients' data."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)

    def original(self, pair: int) -> Job:
        """Trained on everything."""
        return self._trained("original", pair, request="")

    def retrained(self, pair: int) -> Job:
        """Trained without the forget set, with the original's seed: its twin."""
        return self._trained("retrained", pair, request=self.request)

    def unlearned(self, pair: int) -> Job:
        """The original, unlearned with the procedure and the settings of this run."""
        original = self.original(pair)
        seed = self.first_seed + pair
        return self._unlearned("unlearned", original.weights, original.key, seed, self.request, self.forget_key)

    def mock(self, teacher: Path, request: Path, forget_key: str) -> Job:
        """The teacher, unlearned for a mock request."""
        return self._unlearned("mock", teacher, file_digest(teacher), self.first_seed, str(request), forget_key)

    def compared(self, teacher: Path, number: int) -> Job:
        """The teacher, unlearned for the request with another seed, for a comparison."""
        seed = self.first_seed + number
        return self._unlearned("compared", teacher, file_digest(teacher), seed, self.request, self.forget_key)

    def fold_out(self, fold: int, *, folds: int, seed: int) -> Job:
        """Trained without a fold's patients: what a mock request's retrained model would be, near enough."""
        own = {"fold": fold, "folds": folds}
        return self._trained("fold_out", seed - self.first_seed, request="", left_out=own)

    def renewed(self, model: Path, request: Path, *, fold: int, seed: int, key: str) -> Job:
        """A fold teacher that forgets who is gone, by what members of their own folds say of them.

        Args:
            model: trained without the patients of `fold`.
            request: the images that it is to forget.
            key: digest of them.
        """
        path = str(self.config_dir / "forget.yaml")
        own = self._own("forget") | {"model_dir": str(model.parent), "model_name": model.name, "fold": fold}
        own |= {"seed": seed, "split_dir": str(self.split_dir)}
        # Without the members' digests: what is renewed already must not move what is left to be renewed.
        found = digest(["renewed", file_digest(model), key, _moving(path, own), code_identity()])
        folder = self.folder / "renewed" / found[:16]
        own |= {"fold_dir": str(self.fold_dir), "request": str(request), "forget_ratio": 0.0}
        own["near_duplicates"] = False  # what was pulled in with them is gone as well, and named
        step = Step(path, "run", own | {"output_dir": str(folder)})
        return Job("renewed", found, folder, folder / "release" / "student.pt", (step,))

    def check_like(self, teacher: Mapping[str, Any], phases: Mapping[str, Identity]) -> None:
        """Refuse what could only end without a verdict: models of the pool made otherwise than teacher and student.

        Args:
            teacher: the record beside the delivered model's original.
            phases: phase -> what the student's phases followed from.

        Raises:
            InputError: names the setting and both values.
        """
        planned = {"data_set": self.settings["dataset_name"], "split": teacher.get("split"), "training": self.training}
        if problem := alike_problem(teacher, planned):
            raise InputError(f"{problem}; no verdict could follow: train the teacher so, or give its settings")
        for phase in self.making:
            if phase not in phases:
                raise InputError(f"output_dir: the student was not made by {phase}, the references are; run it first")
            own, others = phases[phase].procedure, self._procedure(phase, {}, apart=())
            for name in sorted({*own, *others} - {"seed"}):
                if own.get(name) != others.get(name):
                    raise InputError(
                        f"{name}: the student was made with {own.get(name)!r} in {phase}, the references would be with"
                        f" {others.get(name)!r}; give the settings that the student was made with"
                    )
        own_seeds = {"the teacher": teacher.get("training", {}).get("seed")}
        for member in sorted(self.fold_dir.glob("model_fold*.pt")):
            record = ModelRecord.read(member)
            own_seeds[member.name] = record.training.get("seed") if record is not None else None
        for name, seed in own_seeds.items():
            if seed in range(self.first_seed, self.first_seed + MOST_PAIRS):
                raise InputError(f"reference_seed: {self.first_seed} leads to the seed of {name}; give another one")

    def _procedure(self, workflow: str, more: Mapping[str, Any], *, apart: Sequence[str]) -> dict[str, Any]:
        """The settings that a workflow of the pool has and from which weights follow, as a record holds them."""
        path = self.config_dir / f"{workflow}.yaml"
        found = _moving(str(path), {**self._own(workflow), **more}, apart=apart)
        return json.loads(json.dumps(found))

    def _own(self, workflow: str) -> dict[str, Any]:
        """What a workflow is given: what this run was given, and what the delivered student's method had found."""
        given = overrides(self.settings, workflow)
        given.pop("fold", None)  # of a training; here a teacher of all folds forgets
        left = {name for name, value in given.items() if value is None or (name, value) == ("method", AUTO)}
        filled = self.making.get(workflow, {})
        return {**given, **{name: value for name, value in filled.items() if name not in given or name in left}}

    def _unlearned(self, kind: str, model: Path, model_key: str, seed: int, request: str, forget_key: str) -> Job:
        steps = []
        plain: dict[str, Any] = {}
        for workflow in self.making:
            path = str(self.config_dir / f"{workflow}.yaml")
            own = self._own(workflow)
            own |= {"model_dir": str(model.parent), "model_name": model.name, "seed": seed}
            own |= {"split_dir": str(self.split_dir)}
            plain[workflow] = _moving(path, own)
            steps.append((path, own | {"fold_dir": str(self.fold_dir), "request": request, "forget_ratio": 0.0}))
        folds = {path.name: file_digest(path) for path in sorted(self.fold_dir.glob("model_fold*.pt"))}
        key = digest([kind, model_key, forget_key, seed, plain, folds, code_identity()])
        folder = self.folder / kind / key[:16]
        return Job(
            kind=kind,
            key=key,
            folder=folder,
            weights=folder / "release" / "student.pt",
            steps=tuple(Step(path, "run", own | {"output_dir": str(folder)}) for path, own in steps),
        )

    def _trained(self, kind: str, pair: int, *, request: str, left_out: Mapping[str, int] | None = None) -> Job:
        path = str(self.config_dir / "train.yaml")
        own = overrides(self.settings, "train") | NEVER_SELECTED | {"seed": self.first_seed + pair}
        forgotten = self.forget_key if request else ""
        parts = [kind, self.data_key, forgotten, self.first_seed + pair, _moving(path, own), code_identity()]
        key = digest(parts if left_out is None else [*parts, dict(left_out)])
        folder = self.folder / FOLDERS.get(kind, kind) / key[:16]
        own |= {
            "request": request,
            "forget_ratio": 0.0,
            "model_dir": str(folder),
            "model_name": "model.pt",
            "split_dir": str(self.split_dir),
            "as_model": str(self.teacher),
            "output_dir": str(folder / "run"),
            "folds": self.settings["folds"],
            "fold": -1,
            **(left_out or {}),
        }
        name = "model.pt" if left_out is None else f"model_fold{left_out['fold']}.pt"
        return Job(kind, key, folder, folder / name, (Step(path, "single", own),))


def _moving(path: str, own: Mapping[str, Any], *, apart: Collection[str] = APART) -> dict[str, Any]:
    """The settings of a workflow from which a model follows, and every part of it that was changed."""
    merged = {**read_config(path), **own}
    settings = {
        name: read_value(SETTINGS[name], value)
        for name, value in merged.items()
        if name in SETTINGS and SETTINGS[name].moves
    }
    parts = {name: value for name, value in own.items() if name not in SETTINGS}
    return {name: value for name, value in (settings | parts).items() if name not in apart}
