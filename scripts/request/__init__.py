"""What is to be forgotten, read strictly."""

from __future__ import annotations

from pathlib import Path

from scripts.request.request import GROUNDS, LEVELS, Request, read_request_file
from scripts.request.withdrawn import is_withdrawn, read_withdrawn


def read_request(path: str | Path) -> Request:
    """The request of a file, or of a bare list of withdrawals with its date, `LIST@DATE`.

    Raises:
        InputError: names the file, the line, the value and what is allowed.
    """
    return read_withdrawn(path) if is_withdrawn(path) else read_request_file(path)


__all__ = ["GROUNDS", "LEVELS", "Request", "read_request"]
