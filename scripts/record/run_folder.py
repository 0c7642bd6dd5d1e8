"""The two parts of a run's output: `private/` for patient data, `release/` free of it."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from scripts import processes
from scripts.errors import InputError, Refused
from scripts.files import read_json, watch, write_json
from scripts.record.journal import PARTS, WRITTEN, Journal
from scripts.record.lock import LOCK, lock_folder, unlock_folder
from scripts.record.run_log import close_log, log_to
from scripts.system import read_only

ENDED = ("reverted", "committed")
AGAIN = "run forget again, in another output_dir"
_journals: dict[str, Journal] = {}  # by the run's folder: the steps of a chain share what they noted


class RunFolder:
    """`output_dir`; several processes share it, and only the first keeps a log.

    Nothing is made before something is written into it, or `begin` is called. From then on the folder is locked for
    this process, and every file is noted in the run's journal before it appears.

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
        self._log, self._begun = log, False
        for part in (self.private, self.release):
            _check_usable(part, self.root)
            watch(part, self._about_to_write)
        self.journal = _journals.setdefault(os.path.abspath(self.root), Journal(self.root))
        self._seen = self._journal_size()

    adapter = property(lambda self: self.private / "adapter")
    checkpoints = property(lambda self: self.private / "checkpoints")
    overlays = property(lambda self: self.private / "overlays")
    # Caches clear and fill their files as if alone: each of several processes has a folder of its own.
    cache = property(lambda self: self.private / (f"cache_{processes.rank()}" if processes.rank() else "cache"))
    tracking = property(lambda self: self.private / "mlflow")
    resolution = property(lambda self: self.private / "resolution.json")
    student = property(lambda self: self.release / "student.pt")
    metrics = property(lambda self: self.release / "metrics.json")
    history = property(lambda self: self.release / "history.csv")
    tensorboard = property(lambda self: self.release / "tensorboard")
    verdict = property(lambda self: self.release / "verdict.json")
    timing = property(lambda self: self.release / "timing.json")
    state_file = property(lambda self: self.private / "state.json")
    identity = property(lambda self: self.private / "identity.json")
    manifest = property(lambda self: self.private / "manifest.json")

    def checkpoint(self, phase: str) -> Path:
        """The resumable state of a phase."""
        return self.checkpoints / f"{phase}.pt"

    def begin(self) -> None:
        """Make the folder, for its owner alone, and take it for this process; the log starts here.

        Raises:
            InputError: the folder cannot be written to.
            Refused: another command is at work in it, or was since this one read it; it holds files of somebody else.
        """
        if self._begun and self.private.is_dir():
            return
        self.take()
        self._begun = True
        if self._log and processes.first():
            self.journal.note(self.private / "run.log")
            log_to(self.private / "run.log")

    def take(self) -> None:
        """As `begin`, without a log."""
        self._refuse_foreign()
        try:
            for part in (self.private, self.release):
                part.mkdir(parents=True, exist_ok=True)
            os.chmod(self.private, 0o700)
        except FileExistsError as error:
            raise InputError(f"output_dir: {error.filename} is a file; a folder is needed") from error
        except OSError as error:
            raise InputError(f"output_dir: {self.root} cannot be written to ({error.strerror})") from error
        if not processes.first():
            return
        lock_folder(self.private, shown=self.root)
        self._refuse_foreign()
        if not self.journal.used and self._journal_size() != self._seen:
            raise Refused(f"output_dir: another command was at work in {self.root} meanwhile; run this one again")
        self.journal.mend()

    def end(self) -> None:
        """Close the log and give the folder back, where a process goes on after its command: a notebook, a pool."""
        log, self._begun = self._log, False
        self.stop_log()
        self._log = log
        unlock_folder(self.private)

    def stop_log(self) -> None:
        """Close the log and keep none from now on."""
        self._log = False
        close_log(self.private / "run.log")

    def read_state(self) -> dict[str, Any]:
        """What was done here so far; empty for a new run.

        Raises:
            InputError: the record is damaged.
            Refused: it is missing though the run wrote it, or though there is a student.
        """
        state = self._state()
        made = [path for path in (self.adapter / "student.json", self.student) if path.exists()]
        if not state and made and not self.state_file.is_file():
            raise Refused(f"{self.state_file}: is missing, though {made[0]} is there; {AGAIN}")
        return state

    def refuse_ended(self) -> None:
        """Raise Refused where the trial is over, reverted or committed: nothing goes on from there."""
        state = self._state().get("state")
        if state in ENDED:
            raise Refused(f"output_dir: {self.root} was {state}; {AGAIN}")

    def require_trial(self, *, resolution: bool = True) -> dict[str, Any]:
        """The state of a run that `forget` finished and that is not over.

        Args:
            resolution: whether the record of what was forgotten is needed as well.

        Raises:
            InputError, Refused: state.json or resolution.json is missing or damaged; the trial is over.
        """
        self.refuse_ended()
        state = self.read_state()
        if state.get("state") != "trial":
            raise InputError(
                f"output_dir: {self.root} holds no finished run; run forget first, with the same output_dir"
            )
        for path in (self.adapter / "student.json", *((self.resolution,) if resolution else ())):
            if not path.is_file():
                raise Refused(f"{path}: is missing, though the run is finished; {AGAIN}")
        if not isinstance(state.get("goal"), str):
            raise Refused(f"{self.state_file}: does not say for which goal the run was made; {AGAIN}")
        return state

    def note(self, **changes: Any) -> None:
        """Change entries of the run's state; None removes one."""
        merged = {**self._state(), **changes}
        write_json(self.state_file, {key: value for key, value in merged.items() if value is not None})

    def write_manifest(self) -> None:
        """List the files of the run that are there now, for a reader; what is destroyed goes by the journal."""
        there = [name for part in PARTS for name in self.entries(part) if not name.endswith("/")]
        own = [name for name in self.journal.owned(there) if self.root / name != self.manifest]
        write_json(self.manifest, {"files": sorted(own)})

    def entries(self, part: str) -> list[str]:
        """Places in the run of all that lies below `private` or `release`, whatever it is; folders end in `/`.

        Links are not followed. The journal and the lock are left out.
        """
        found, top = [], self.root / part
        for folder, folders, files in os.walk(top):
            place = Path(folder).relative_to(self.root).as_posix()
            links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
            found += [f"{place}/{name}" for name in (*files, *links)]
            found += [f"{place}/{name}/" for name in folders if name not in links]
        apart = {f"{PARTS[0]}/{LOCK}", self.journal.path.relative_to(self.journal.root).as_posix()}
        return sorted(name for name in found if name not in apart)

    def foreign(self, part: str) -> list[str]:
        """Places of what the run did not write below `private` or `release`, folders apart."""
        there = [name for name in self.entries(part) if not name.endswith("/")]
        own = set(self.journal.owned(there))
        return [name for name in there if name not in own]

    def _about_to_write(self, path: Path, kind: str) -> None:
        self.begin()
        self.journal.note(path, kind=kind)

    def _refuse_foreign(self) -> None:
        """Before the first command writes, both parts must be empty: later nobody could tell whose files they are."""
        if self.journal.path.exists():
            if self.state_file.is_file() and not self.journal.owned(["private/state.json"]):
                raise Refused(
                    f"{self.journal.path}: does not name {self.state_file.name}, so it is not whole and nobody knows"
                    f" which files are of the run; {AGAIN}"
                )
            return
        for part in PARTS:
            if found := self.foreign(part):
                raise Refused(
                    f"output_dir: {self.root / found[0]} was not written by this run ({len(found)} such files);"
                    " move it elsewhere, or give another output_dir"
                )

    def _state(self) -> dict[str, Any]:
        if self.state_file.is_file():
            state = read_json(self.state_file, remedy=AGAIN)
            if state.get("state") not in (None, "trial", *ENDED):
                raise InputError(f"{self.state_file}: is damaged, not what this bundle writes; {AGAIN}")
            return state
        if "private/state.json" in self.journal.names(WRITTEN):
            raise Refused(f"{self.state_file}: is missing, though the run wrote it; {AGAIN}")
        return {}

    def _journal_size(self) -> int:
        try:
            return self.journal.path.stat().st_size
        except OSError:
            return -1


def _check_usable(folder: Path, root: Path) -> None:
    """Whether `folder` is there, or could be made, and could be written to."""
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            os.lstat(folder)  # names that no file can have are errors here
        there = folder
        while not os.path.lexists(there) and there != there.parent:
            there = there.parent
        if not there.is_dir():
            raise InputError(f"output_dir: {there} is a file; a folder is needed")
        if not os.access(there, os.W_OK | os.X_OK):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS if read_only(there) else errno.EACCES))
    except OSError as error:
        raise InputError(f"output_dir: {root} cannot be written to ({error.strerror})") from error
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"output_dir: {root} is no name of a folder ({error})") from error
