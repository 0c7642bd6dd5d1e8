"""What a commit removes from the run's folder, and what it must leave there."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path

from scripts.errors import Refused
from scripts.record.journal import DESTROYED, TEMPORARY
from scripts.record.lock import unlock_folder
from scripts.record.run_folder import RunFolder

KEPT = ("private/state.json", "private/manifest.json")  # no ids, no pixels


class Destruction:
    """Removes the files that the run wrote below `private/`; all else stays, and is listed.

    Args:
        folder: of the run.
    """

    def __init__(self, *, folder: RunFolder) -> None:
        self.folder = folder

    def refuse_foreign(self, *, ids: Iterable[str] = ()) -> None:
        """Refuse what could not be certified: the certificate lists what is left, and is given away.

        Args:
            ids: of the request; none may stand in the name of a file that will be listed.

        Raises:
            Refused: `release/` holds what the run did not write; a name below `private/` holds an id.
        """
        release = [*self.folder.foreign("release"), *self._links("release")]
        if release:
            raise Refused(
                f"{self.folder.root / release[0]}: the run did not write it, so it is not released"
                f" ({len(release)} such files); move it elsewhere"
            )
        known = [name.casefold() for name in ids]
        for name in self.folder.foreign("private"):
            if any(one and one in name.casefold() for one in known):
                raise Refused(
                    f"{self.folder.root / name}: the run did not write it, and its name holds an id of the request;"
                    " the certificate would list it, so move it elsewhere"
                )

    def run(self) -> tuple[list[str], list[str]]:
        """Places in the run of the files that are gone, of this and an interrupted commit, and of all that is left."""
        journal = self.folder.journal
        for name in self.folder.journal.owned(self.folder.entries("private")):
            if name in KEPT or name.endswith("/") or not self._is_own_file(name):
                continue
            journal.note(self.folder.root / name, kind=DESTROYED)
            try:
                (self.folder.root / name).unlink(missing_ok=True)
            except OSError:
                continue
        self._remove_empty_folders()
        for name in journal.names(TEMPORARY):
            # A half-written file of a killed command: nobody may take it for a result.
            if name.startswith("release/") and self._is_own_file(name):
                (self.folder.root / name).unlink(missing_ok=True)
        left = [name for name in self.folder.entries("private") if name not in KEPT]
        gone = journal.names(DESTROYED) - {name.rstrip("/") for name in left}
        return sorted(gone), left

    def forget_journal(self) -> None:
        """Remove the journal and the lock, at the very end."""
        self.folder.journal.path.unlink(missing_ok=True)
        unlock_folder(self.folder.private)

    def _is_own_file(self, name: str) -> bool:
        """Whether it is a regular file that lies in the run, and not elsewhere by way of a link."""
        path = self.folder.root / name
        inside = (self.folder.root / name.split("/")[0]).resolve()
        try:
            return stat.S_ISREG(path.lstat().st_mode) and path.resolve().is_relative_to(inside)
        except OSError:
            return False

    def _links(self, part: str) -> list[str]:
        """What is neither a regular file nor a folder: a link, a pipe, a device."""
        names = [name for name in self.folder.entries(part) if not name.endswith("/")]
        return [name for name in names if not self._is_own_file(name)]

    def _remove_empty_folders(self) -> None:
        """Remove the folders of destroyed files, as far as they are empty now."""
        parents = {
            parent
            for name in self.folder.journal.names(DESTROYED)
            for parent in Path(name).parents
            if len(parent.parts) > 1
        }
        for parent in sorted(parents, key=lambda path: len(path.parts), reverse=True):
            try:
                (self.folder.root / parent).rmdir()
            except OSError:
                continue  # not empty, or gone already; what is left is listed
