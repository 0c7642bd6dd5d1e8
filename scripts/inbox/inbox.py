"""A folder of request files and bare lists of withdrawals."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.errors import InputError
from scripts.record.certificate import due_date
from scripts.request import Request, read_request
from scripts.request.withdrawn import dated

ENDINGS = (".csv", ".txt")
SEPARATORS = ",;\t"  # in the first line of a request; a bare list has one column


@dataclass(frozen=True)
class Received:
    """One file.

    Attributes:
        file: its name.
        digest: SHA-256 of what it holds.
        asked: as the setting `request` takes it.
        request: what it asks for; None where it cannot be read.
        problem: why not, in words.
    """

    file: str
    digest: str
    asked: str
    request: Request | None
    problem: str = ""

    @property
    def name(self) -> str:
        """Of the request; of a file that cannot be read, the file's."""
        return self.request.request_id if self.request is not None else Path(self.file).stem


def read_inbox(folder: str | Path, *, requested_on: str = "", dates: Mapping[str, str] | None = None) -> list[Received]:
    """What lies in the folder, by name; a file that is no request has a problem and ends nothing.

    Args:
        requested_on: date of bare lists that were not received before.
        dates: digest of a list -> the date on which it was received as asked for.

    Raises:
        InputError: there is no such folder.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"inbox: {root}: no such folder; give the one that holds request files")
    found = list(_files(root, requested_on, dates or {}))
    first: dict[str, str] = {}
    for place, one in enumerate(found):
        if one.request is not None and (before := first.setdefault(one.name, one.file)) != one.file:
            problem = f"{root / one.file}: request_id '{one.name}' is that of {before}; each request has its own"
            found[place] = Received(one.file, one.digest, one.asked, None, problem)
    return found


def _files(root: Path, requested_on: str, dates: Mapping[str, str]) -> Iterator[Received]:
    for path in sorted(root.iterdir()):
        if path.name.startswith("."):
            continue
        if not path.is_file() or path.suffix.lower() not in ENDINGS:
            print(f"inbox: {path.name}: is no {' or '.join(ENDINGS)} file and is passed over", flush=True)
            continue
        digest, asked = "", str(path)
        try:
            content = path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            if _is_list(content):
                date = dates.get(digest, requested_on)
                if not date:
                    raise InputError(f"{path}: a bare list of withdrawals names no date; give requested_on")
                asked = dated(asked, date)
            request = read_request(asked)
            due_date(request.requested_on)
        except OSError as error:
            yield Received(path.name, digest, asked, None, f"{path}: cannot be read ({error.strerror})")
        except InputError as error:
            yield Received(path.name, digest, asked, None, str(error))
        else:
            yield Received(path.name, digest, asked, request)


def _is_list(content: bytes) -> bool:
    """Whether the first line that is not blank has one column."""
    lines = (line for line in content.decode("utf-8-sig", "replace").splitlines() if line.strip())
    return not any(sign in next(lines, "") for sign in SEPARATORS)
