"""What a pool of pairs consists of: for each seed an original, its retrained twin and an unlearned model of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.references.jobs import Job, Step, digest, file_digest
from scripts.settings import read_config, workflow_ids

# What a model does not follow from: where files lie, how it is shown, how fast it is computed.
APART = frozenset(
    "bundle_root output_dir model_dir model_name fold_dir overwrite cache progress threads device distributed download"
    " checkpoint_every dataset_dir request folds fold_members fold member seed select patience forget_ratio tombstones"
    " key_dir low_memory".split()
)
FOLDERS = {"original": "originals"}
NEVER_SELECTED = {"select": "last", "patience": 0}  # a checkpoint chosen by a metric would not be paired


class Pairs:
    """The jobs of a pool.

    Args:
        config_dir: folder of the workflow files.
        folder: of the pool; originals in it serve every request.
        settings: of all workflows, as the command line gave them.
        request: request.csv.
        data_key: digest of the training set.
        forget_key: digest of what is to be forgotten.
        fold_dir: folder of the fold teachers.
        first_seed: of the first pair.
    """

    def __init__(
        self,
        *,
        config_dir: str | Path,
        folder: str | Path,
        settings: Mapping[str, Any],
        request: str,
        data_key: str,
        forget_key: str,
        fold_dir: str | Path,
        first_seed: int,
    ) -> None:
        self.config_dir, self.folder = Path(config_dir), Path(folder)
        self.settings, self.request = dict(settings), request
        self.data_key, self.forget_key = data_key, forget_key
        self.fold_dir, self.first_seed = Path(fold_dir), int(first_seed)

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

    def fold_out(self, fold: int, *, folds: int, seed: int) -> Job:
        """Trained without a fold's patients: what a mock request's retrained model would be, near enough."""
        own = {"fold": fold, "folds": folds}
        return self._trained("fold_out", seed - self.first_seed, request="", left_out=own)

    def _unlearned(self, kind: str, model: Path, model_key: str, seed: int, request: str, forget_key: str) -> Job:
        steps = []
        plain: dict[str, Any] = {}
        for workflow in ("forget", "restore"):
            path, known = self._workflow(workflow)
            own = self._known(known) | {"model_dir": str(model.parent), "model_name": model.name, "seed": seed}
            plain[workflow] = self._plain(path, own)
            steps.append((path, own | {"fold_dir": str(self.fold_dir), "request": request}))
        folds = {path.name: file_digest(path) for path in sorted(self.fold_dir.glob("model_fold*.pt"))}
        key = digest([kind, model_key, forget_key, seed, plain, folds])
        folder = self.folder / kind / key[:16]
        return Job(
            kind=kind,
            key=key,
            folder=folder,
            weights=folder / "release" / "student.pt",
            steps=tuple(Step(path, "run", own | {"output_dir": str(folder)}) for path, own in steps),
        )

    def _trained(self, kind: str, pair: int, *, request: str, left_out: Mapping[str, int] | None = None) -> Job:
        path, known = self._workflow("train")
        own = self._known(known) | NEVER_SELECTED | {"seed": self.first_seed + pair, "folds": 0}
        forgotten = self.forget_key if request else ""
        parts = [kind, self.data_key, forgotten, self.first_seed + pair, self._plain(path, own)]
        key = digest(parts if left_out is None else [*parts, dict(left_out)])
        folder = self.folder / FOLDERS.get(kind, kind) / key[:16]
        own |= {
            "request": request,
            "forget_ratio": 0.0,
            "model_dir": str(folder),
            "model_name": "model.pt",
            "output_dir": str(folder / "run"),
            **(left_out or {}),
        }
        name = "model.pt" if left_out is None else f"model_fold{left_out['fold']}.pt"
        return Job(kind, key, folder, folder / name, (Step(path, "single", own),))

    def _workflow(self, name: str) -> tuple[str, set[str]]:
        path = self.config_dir / f"{name}.yaml"
        return str(path), workflow_ids(path)

    def _known(self, known: set[str]) -> dict[str, Any]:
        return {key: value for key, value in self.settings.items() if key in known}

    @staticmethod
    def _plain(path: str, own: Mapping[str, Any]) -> dict[str, Any]:
        """The plain settings of a workflow that a model follows from, and whatever was set deep inside it."""
        merged = {**read_config(path), **own}
        return {key: value for key, value in merged.items() if key not in APART and ("::" in key or _is_plain(value))}


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return not isinstance(value, dict) and not str(value).startswith("$")
