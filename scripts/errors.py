"""What the operator must mend, and how it reaches the terminal: one line, one exit code."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import NoReturn

from scripts.messages import message, visible

DONE, UNEXPECTED, BAD_INPUT, FAIL, INCONCLUSIVE, NO_INFLUENCE, REFUSED = 0, 1, 2, 3, 4, 5, 6
INTERRUPTED, TERMINATED = 130, 143  # as shells count a process that SIGINT or SIGTERM ended
# Errors of the system that the operator can mend: permission, space, quota, read-only, limits, names, folders.
_MENDABLE = (
    errno.EACCES,
    errno.EPERM,
    errno.ENOSPC,
    errno.EROFS,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EMFILE,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EISDIR,
    errno.ELOOP,
    errno.EIO,
    errno.ESTALE,
)
_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "unable to allocate")
_GOES_ON = "what was finished is kept; the same command again goes on from there"


class InputError(ValueError):
    """Bad input or config: one line that names the file, the value and what is allowed."""

    exit_code = BAD_INPUT

    def __init__(self, text: str) -> None:
        super().__init__(message(text))


class Refused(InputError):
    """An action that is not allowed in the state the run is in."""

    exit_code = REFUSED


class Terminated(KeyboardInterrupt):
    """The system asked this process to end."""


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and what it came from: MONAI wraps what it meets in RuntimeError."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__


def user_error(error: BaseException | None) -> InputError | None:
    """The first InputError in a chain of causes."""
    return next((found for found in chain(error) if isinstance(found, InputError)), None)


def require_positive(**values: int) -> None:
    """Refuse settings that are not at least 1.

    Raises:
        InputError: names the setting and its value.
    """
    for name, value in values.items():
        try:
            sound = not isinstance(value, bool) and int(value) >= 1
        except (TypeError, ValueError, OverflowError):
            sound = False
        if not sound:
            raise InputError(f"{name}: {value} is not a positive number")


def disk_full(error: BaseException | None) -> OSError | None:
    """An OSError in the chain that the operator can mend: no space, read-only, no permission, a name too long."""
    return next((found for found in chain(error) if isinstance(found, OSError) and found.errno in _MENDABLE), None)


def out_of_memory(error: BaseException | None) -> str:
    """Which memory was too small: "GPU" or "main", or "" where the chain says nothing of the kind."""
    for found in chain(error):
        text = str(found).lower() if isinstance(found, RuntimeError) else ""
        if type(found).__name__ == "OutOfMemoryError" or ("cuda" in text and "out of memory" in text):
            return "GPU"
        if isinstance(found, MemoryError) or any(part in text for part in _NO_MEMORY):
            return "main"
        if isinstance(found, OSError) and found.errno == errno.ENOMEM:
            return "main"
    return ""


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    from scripts import processes

    stopped = next((found for found in chain(error) if isinstance(found, KeyboardInterrupt)), None)
    if stopped is not None and (code := processes.failed_elsewhere()) is not None:
        raise SystemExit(code)
    if isinstance(stopped, Terminated):
        _end(f"terminated: {_GOES_ON}", TERMINATED)
    if stopped is not None:
        _end(f"interrupted: {_GOES_ON}", INTERRUPTED)
    mendable, full, memory = user_error(error), disk_full(error), out_of_memory(error)
    if mendable is not None:
        _end(f"error: {mendable}", mendable.exit_code)
    if full is not None:
        _end(message(f"error: {os.fsdecode(full.filename or 'output folder')}: {full.strerror}"), BAD_INPUT)
    if memory:
        _end(
            f"error: the {memory} memory is too small; fewer images at a time (batch_size, forget_batch, retain_batch,"
            " eval_batch_size), a smaller image_size or cache: none need less",
            BAD_INPUT,
        )
    if (code := processes.failed_elsewhere()) is not None:
        # Another process has said why; here it shows only as a lost connection.
        raise SystemExit(code)
    # As Python prints it, but for signs that a terminal would obey.
    lines = "".join(traceback.format_exception(kind, error, trace)).split("\n")
    print("\n".join(visible(line) for line in lines), end="", file=sys.stderr, flush=True)


def _end(line: str, code: int) -> NoReturn:
    from scripts import processes

    if processes.claim(line, code):
        print(line, file=sys.stderr, flush=True)
    raise SystemExit(code)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def install() -> None:
    """Print what the operator must mend as one line and exit with its code; leave every other exception alone.

    A request of the system to end (SIGTERM) then ends the command as Ctrl-C does. Under torchrun it does not: there
    the process may wait for others, and would end only when torchrun loses patience.
    """
    sys.excepthook = _report
    alone = not os.environ.get("TORCHELASTIC_RUN_ID")
    main = threading.current_thread() is threading.main_thread()
    if alone and main and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)
