"""One command at a time in a folder: an advisory lock that ends with the process, however that ends."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from pathlib import Path

from scripts import processes
from scripts.errors import InputError, Refused
from scripts.system import NOFOLLOW, lock

LOCK = ".lock"
# What file systems without advisory locks answer.
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EBADF)
_held: dict[str, int] = {}  # path of the lock file -> open file descriptor, kept open until the process ends


def lock_folder(folder: str | Path, *, shown: str | Path = "", setting: str = "output_dir") -> None:
    """Take `folder`, which exists, for this process; taking it again in the same process does nothing.

    Of several processes of one run only the first takes it. Where the file system knows no locks, a warning says so.

    Args:
        folder: the lock file `.lock` is made in it.
        shown: the folder as messages name it; empty: `folder`.
        setting: the setting that messages name.

    Raises:
        Refused: another command is at work in the folder.
        InputError: the lock file cannot be made.
    """
    if not processes.first():
        return
    path, name = os.path.join(os.path.realpath(folder), LOCK), str(shown or folder)
    if _still_held(path):
        return
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | NOFOLLOW, 0o600)
        except OSError as error:
            raise InputError(f"{setting}: {name} cannot be locked: {path}: {error.strerror}") from error
        try:
            taken = lock(descriptor)
        except OSError as error:
            os.close(descriptor)
            if error.errno not in _NO_LOCKS:
                raise InputError(f"{setting}: {name} cannot be locked: {path}: {error.strerror}") from error
            warnings.warn(
                f"{setting}: the file system of {name} has no locks; start one command at a time", stacklevel=2
            )
            return
        if not taken:
            os.close(descriptor)
            raise Refused(
                f"{setting}: another command is at work in {name}; wait until it has ended, or give another folder"
            )
        _held[path] = descriptor
        if _still_held(path):
            return


def unlock_folder(folder: str | Path) -> None:
    """Give a folder back before the process ends, and remove the lock file; does nothing where it is not held."""
    path = os.path.join(os.path.realpath(folder), LOCK)
    if not _still_held(path):
        return
    if sys.platform == "win32":  # a file that is open cannot be removed there
        os.close(_held.pop(path))
        os.unlink(path)
        return
    os.unlink(path)
    os.close(_held.pop(path))


def _still_held(path: str) -> bool:
    """Whether the lock that this process holds is on the file that is there now, and not on one that was removed."""
    descriptor = _held.get(path)
    if descriptor is None:
        return False
    try:
        if os.path.samestat(os.fstat(descriptor), os.stat(path, follow_symlinks=False)):
            return True
    except OSError:
        pass
    os.close(_held.pop(path))
    return False
