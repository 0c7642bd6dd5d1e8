"""The two parts of a run's output: `private/` for patient data, `release/` free of it."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

from scripts import processes
from scripts.errors import InputError, Refused
from scripts.files import write_json

ENDED = ("reverted", "committed")


class RunFolder:
    """`output_dir`, made if need be; several processes share it, and only the first keeps a log.

    Args:
        output_dir: the folder; `eval/<name>` when empty.
        name: the request's id, or what else names the run.
        log: also write the log to `private/run.log`.

    Raises:
        InputError: the folder is a file, or cannot be written to.
    """

    def __init__(self, *, output_dir: str | Path = "", name: str = "run", log: bool = True) -> None:
        self.root = Path(output_dir) if str(output_dir) else Path("eval") / name
        self.private = self.root / "private"
        self.release = self.root / "release"
        try:
            self.private.mkdir(parents=True, exist_ok=True)
            self.release.mkdir(exist_ok=True)
            os.chmod(self.private, 0o700)
            with (self.private / "run.log").open("a", encoding="utf-8"):
                pass
        except (FileExistsError, NotADirectoryError) as error:
            raise InputError(f"output_dir: {error.filename} is a file; a folder is needed") from error
        except OSError as error:
            raise InputError(f"output_dir: {self.root} cannot be written to ({error.strerror})") from error
        if log and processes.first():
            self._log_to(self.private / "run.log")

    adapter = property(lambda self: self.private / "adapter")
    checkpoints = property(lambda self: self.private / "checkpoints")
    overlays = property(lambda self: self.private / "overlays")
    # Caches clear and fill their files as if alone: each of several processes has a folder of its own.
    cache = property(lambda self: self.private / (f"cache_{processes.rank()}" if processes.rank() else "cache"))
    resolution = property(lambda self: self.private / "resolution.json")
    student = property(lambda self: self.release / "student.pt")
    metrics = property(lambda self: self.release / "metrics.json")
    history = property(lambda self: self.release / "history.csv")
    tensorboard = property(lambda self: self.release / "tensorboard")
    verdict = property(lambda self: self.release / "verdict.json")
    qualification = property(lambda self: self.release / "qualification.json")
    timing = property(lambda self: self.release / "timing.json")
    state_file = property(lambda self: self.private / "state.json")
    identity = property(lambda self: self.private / "identity.json")
    manifest = property(lambda self: self.private / "manifest.json")

    def checkpoint(self, phase: str) -> Path:
        """The resumable state of a phase."""
        return self.checkpoints / f"{phase}.pt"

    def read_state(self) -> dict[str, Any]:
        """What was done here so far; empty for a new run."""
        return json.loads(self.state_file.read_text(encoding="utf-8")) if self.state_file.is_file() else {}

    def refuse_ended(self) -> None:
        """Raise Refused where the trial is over, reverted or committed: nothing goes on from there."""
        state = self.read_state().get("state")
        if state in ENDED:
            raise Refused(f"output_dir: {self.root} was {state}; run forget again, in another output_dir")

    def note(self, **changes: Any) -> None:
        """Change entries of the run's state; None removes one."""
        merged = {**self.read_state(), **changes}
        write_json(self.state_file, {key: value for key, value in merged.items() if value is not None})

    def write_manifest(self) -> None:
        """List the files of the run: what a later destruction may touch, and nothing else."""
        files = [
            path.relative_to(self.root).as_posix()
            for part in (self.private, self.release)
            for path in part.rglob("*")
            if path.is_file() and path != self.manifest
        ]
        write_json(self.manifest, {"files": sorted(files)})

    def _log_to(self, path: Path) -> None:
        root = logging.getLogger()
        target = str(path.resolve())
        for handler in list(root.handlers):
            if isinstance(handler, _RunLog):
                if handler.baseFilename == target:
                    return
                root.removeHandler(handler)
                handler.close()
        handler = _RunLog(path, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
        root.addHandler(handler)


class _RunLog(logging.FileHandler):
    """The log of the present run: one at a time."""
