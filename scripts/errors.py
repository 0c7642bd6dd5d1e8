"""What the operator must mend, and how it reaches the terminal: one line, one exit code."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import NoReturn

DONE, UNEXPECTED, BAD_INPUT, FAIL, INCONCLUSIVE, NO_INFLUENCE, REFUSED = 0, 1, 2, 3, 4, 5, 6


class InputError(ValueError):
    """Bad input or config: one line that names the file, the value and what is allowed."""

    exit_code = BAD_INPUT

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(str(message).split()))


class Refused(InputError):
    """An action that is not allowed in the state the run is in."""

    exit_code = REFUSED


def user_error(error: BaseException | None) -> InputError | None:
    """The first InputError in a chain of causes: MONAI wraps what it meets in RuntimeError."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, InputError):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def require_positive(**values: int) -> None:
    """Refuse settings that are not at least 1.

    Raises:
        InputError: names the setting and its value.
    """
    for name, value in values.items():
        if int(value) < 1:
            raise InputError(f"{name}: {value} is not a positive number")


def disk_full(error: BaseException | None) -> OSError | None:
    """An OSError in the chain that the operator can mend: no space, read-only, no permission."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, OSError) and error.errno in (13, 28, 30, 122):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    from scripts import processes

    mendable, full = user_error(error), disk_full(error)
    if mendable is not None:
        _end(f"error: {mendable}", mendable.exit_code)
    if full is not None:
        _end(f"error: {full.filename or 'output folder'}: {full.strerror}", BAD_INPUT)
    if (code := processes.failed_elsewhere()) is not None:
        # Another process has said why; here it shows only as a lost connection.
        raise SystemExit(code)
    sys.__excepthook__(kind, error, trace)


def _end(line: str, code: int) -> NoReturn:
    from scripts import processes

    if processes.claim(line, code):
        print(line, file=sys.stderr, flush=True)
    raise SystemExit(code)


def install() -> None:
    """Print an InputError as one line and exit with its code; leave every other exception alone."""
    sys.excepthook = _report
