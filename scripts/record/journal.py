"""What a run wrote into its folder, noted before each file appears: what may be destroyed later, and nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePosixPath

from scripts.errors import InputError

PARTS = ("private", "release")
WRITTEN, TEMPORARY, FOLDER, DESTROYED = KINDS = ("written", "temporary", "folder", "destroyed")


class Journal:
    """`private/written.jsonl`, one line per name: the kind of entry, and the place in the run.

    | kind | meaning |
    |---|---|
    | written | a file of the run |
    | temporary | a file that is renamed or removed as soon as it is whole; what lies there was left by a kill |
    | folder | everything below it is of the run |
    | destroyed | a file that a commit is about to remove |

    Several processes of one run append to it; a line that a kill cut off is of a file that never appeared.

    Args:
        root: the run's folder.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(os.path.abspath(root))
        self.path = self.root / PARTS[0] / "written.jsonl"
        self._own: set[tuple[str, str]] = set()

    def note(self, path: str | Path, *, kind: str = WRITTEN) -> None:
        """Append a name, once per process."""
        name = Path(os.path.abspath(path)).relative_to(self.root).as_posix()
        if not self.path.exists():
            self._own.clear()
        if (kind, name) in self._own:
            return
        # One write call in append mode: the lines of several processes do not mix.
        with self.path.open("ab", buffering=0) as file:
            file.write(json.dumps({kind: name}).encode() + b"\n")
        self._own.add((kind, name))

    @property
    def used(self) -> bool:
        """Whether this process has noted something."""
        return bool(self._own) and self.path.exists()

    def names(self, kind: str) -> set[str]:
        """All names of a kind, of this and earlier commands; empty where there is no journal.

        Raises:
            InputError: the journal is damaged.
        """
        return {name for found, name in self._entries() if found == kind}

    def owned(self, names: list[str]) -> list[str]:
        """Those of `names` that the run wrote, in their order."""
        entries = self._entries()
        files = {name for kind, name in entries if kind in (WRITTEN, TEMPORARY)}
        folders = {name for kind, name in entries if kind == FOLDER}
        return [
            name
            for name in names
            if name in files or any(str(parent) in folders for parent in PurePosixPath(name).parents)
        ]

    def mend(self) -> None:
        """Cut off a last line that is not whole."""
        if not self.path.is_file():
            return
        content = self.path.read_bytes()
        if content and not content.endswith(b"\n"):
            self._entries()
            os.truncate(self.path, content.rfind(b"\n") + 1)

    def _entries(self) -> set[tuple[str, str]]:
        if not self.path.is_file():
            return set()
        entries = set()
        lines = self.path.read_bytes().split(b"\n")
        # A kill leaves the beginning of an entry; whatever else stands there was not written by a run.
        cut = [] if _is_beginning(lines[-1]) else [lines[-1]]
        for number, line in enumerate([*lines[:-1], *cut], 1):
            try:
                ((kind, name),) = json.loads(line).items()
                place = PurePosixPath(name)
                sound = kind in KINDS and place.parts[0] in PARTS and ".." not in place.parts
            except (ValueError, TypeError, AttributeError, IndexError, RecursionError):
                sound = False
            if not sound:
                raise InputError(
                    f"{self.path}: line {number} is damaged; what the run wrote is not known,"
                    " so run forget again, in another output_dir"
                )
            entries.add((kind, name))
        return entries


def _is_beginning(line: bytes) -> bool:
    """Whether a line that has no end may be what a kill left of an entry."""
    begun = [b'{"' + kind.encode() + b'": "' for kind in KINDS]
    return any(line.startswith(one) or one.startswith(line) for one in begun)
