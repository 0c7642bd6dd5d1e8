"""What POSIX and Windows do in different ways: locks, flags of open files, the peak of memory."""

from __future__ import annotations

import errno
import os
import sys
from types import ModuleType

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
try:
    import msvcrt
except ImportError:  # POSIX
    msvcrt = None  # type: ignore[assignment]
try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

# Windows knows neither links that opening would follow, nor pipes among files, nor what a child process inherits.
NOFOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
NONBLOCK: int = getattr(os, "O_NONBLOCK", 0)
CLOEXEC: int = getattr(os, "O_CLOEXEC", 0)
BINARY: int = getattr(os, "O_BINARY", 0)  # Windows would change line ends


def lock(descriptor: int) -> bool:
    """Take the lock of an open file, which ends with the process; False where another holds it.

    Raises:
        OSError: the system or the file system knows no locks.
    """
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        elif msvcrt is not None:
            _lock_on_windows(msvcrt, descriptor)
        else:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
    except BlockingIOError:
        return False
    return True


def _lock_on_windows(windows: ModuleType, descriptor: int) -> None:
    os.lseek(descriptor, 0, os.SEEK_SET)
    try:
        windows.locking(descriptor, windows.LK_NBLCK, 1)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EDEADLK):
            raise BlockingIOError(errno.EAGAIN, "held by another process") from error
        raise


def peak_memory() -> int:
    """Largest resident set of this process so far, bytes."""
    if resource is not None:
        # Linux counts in KiB, macOS in bytes.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    import psutil

    own = psutil.Process().memory_info()
    return int(getattr(own, "peak_wset", own.rss))


def read_only(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder lies on a file system that is mounted for reading; False where the system does not say."""
    return hasattr(os, "statvfs") and bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
