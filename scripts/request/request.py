"""`request.csv`: one request to forget, read as text and refused when anything in it is unclear."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from scripts.errors import InputError
from scripts.messages import hidden_signs

COLUMNS = ("request_id", "level", "id", "requested_on", "ground")
LEVELS = ("patient", "study", "series", "lesion", "image", "class")
# GDPR Art. 17(1), in the words of a hospital, and two that are no request of a person: faulty labels, ended licence
GROUNDS = (
    "erasure_request",  # the person asks; the ground is not said
    "no_longer_necessary",  # 17(1)(a)
    "consent_withdrawn",  # 17(1)(b)
    "objection",  # 17(1)(c)
    "unlawful_processing",  # 17(1)(d)
    "legal_obligation",  # 17(1)(e)
    "child_data",  # 17(1)(f)
    "faulty_labels",
    "licence_ended",
    "research",
)
REQUEST_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")  # names a folder: no leading dot
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
EARLIEST = date(1990, 1, 1)  # before it no network was trained on images: a year such as 0206 is a slip of the pen
LARGEST = 16 << 20  # bytes of the file: some hundred thousand ids
LONGEST = 256  # characters of an id


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        request_id: names the output folder.
        level: one of `LEVELS`.
        ids: sorted, each once, as text.
        requested_on: ISO date.
        ground: one of `GROUNDS`.
        path: the file it was read from, for messages.
    """

    request_id: str
    level: str
    ids: tuple[str, ...]
    requested_on: str
    ground: str
    path: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON, without the path."""
        return {
            "request_id": self.request_id,
            "level": self.level,
            "ids": list(self.ids),
            "requested_on": self.requested_on,
            "ground": self.ground,
        }


def read_request_file(path: str | Path) -> Request:
    """Read `request_id,level,id,requested_on,ground`; a BOM, semicolons and CRLF are accepted.

    Raises:
        InputError: names the file, the line, the value and what is allowed.
    """
    path = Path(path)
    rows = _rows(path)
    seen: dict[tuple[str, str, str], int] = {}
    for line, row in rows:
        check_row(row, where=f"{path}, line {line}")
        same_id = (row["request_id"], row["level"], row["id"])
        if same_id in seen:
            raise InputError(f"{path}, line {line}: id '{row['id']}' repeats line {seen[same_id]}; list each id once")
        seen[same_id] = line
    first = rows[0][1]
    for name in ("request_id", "level", "requested_on", "ground"):
        for line, row in rows:
            if row[name] != first[name]:
                raise InputError(
                    f"{path}, line {line}: {name} '{row[name]}' differs from '{first[name]}'; one file holds one "
                    f"request, with one {name}"
                )
    check_alike(rows, path=path)
    ids = tuple(sorted(row["id"] for _, row in rows))
    return Request(first["request_id"], first["level"], ids, first["requested_on"], first["ground"], str(path))


def request_text(path: Path) -> str:
    """Text of a file that a person wrote.

    Raises:
        InputError: there is none, it is too large, or not UTF-8.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder; the request must be a CSV file")
    if not path.is_file():
        raise InputError(f"{path}: no such request file")
    try:
        if (size := path.stat().st_size) > LARGEST:
            raise InputError(f"{path}: {size} bytes; a request has at most {LARGEST}")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        byte = content[error.start]
        raise InputError(f"{path}, line {line}: byte 0x{byte:02x} is not UTF-8; save the file as UTF-8") from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InputError(f"{path}, line {line}: holds a NUL character; save the file as UTF-8 text")
    return text


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Line number and cells of each row under a checked header; blank lines are passed over."""
    text = request_text(path)
    header_line = text.lstrip("\r\n").splitlines()[0] if text.strip() else ""
    delimiter = ";" if ";" in header_line else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    rows = []
    try:
        for cells in reader:
            # Blanks alone: what is invisible otherwise is refused, not taken away.
            cells = [cell.strip(" \t\r\n") for cell in cells]
            if not any(cells):
                continue
            if header is None:
                header = cells
                _check_header(header, where=f"{path}, line {reader.line_num}")
            elif len(cells) != len(header):
                raise InputError(
                    f"{path}, line {reader.line_num}: {len(cells)} cells where the header has {len(header)}"
                )
            else:
                rows.append((reader.line_num, dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: not a CSV row: {error}") from error
    if header is None:
        raise InputError(f"{path}: the file is empty; the header must be {','.join(COLUMNS)}")
    if not rows:
        raise InputError(f"{path}: the request names no id; add one row per id under the header")
    return rows


def _check_header(header: list[str], *, where: str) -> None:
    expected = ",".join(COLUMNS)
    if unknown := [name for name in header if name not in COLUMNS]:
        raise InputError(f"{where}: unknown column {_quoted(unknown)}; the header must be {expected}")
    if missing := [name for name in COLUMNS if name not in header]:
        raise InputError(f"{where}: missing column {_quoted(missing)}; the header must be {expected}")
    if len(header) != len(COLUMNS) or tuple(header) != COLUMNS:
        raise InputError(f"{where}: columns {_quoted(header)} are repeated or out of order; must be {expected}")


def check_row(row: dict[str, str], *, where: str) -> None:
    """Raise InputError where a cell is not what is allowed in its column.

    Args:
        where: file and line, for the message.
    """
    if not REQUEST_ID.fullmatch(row["request_id"]):
        raise InputError(
            f"{where}: request_id '{row['request_id']}' is not 1 to 64 of A-Z a-z 0-9 . _ - without a leading dot"
        )
    if row["level"] not in LEVELS:
        raise InputError(f"{where}: level '{row['level']}' is not one of {', '.join(LEVELS)}")
    _check_id(row["id"], where=where)
    if not _is_date(row["requested_on"]):
        raise InputError(f"{where}: requested_on '{row['requested_on']}' is not a date as 2026-01-31")
    # Where it is evening here it may be tomorrow elsewhere; what lies further ahead is a slip of the pen.
    latest = date.today() + timedelta(days=1)
    if date.fromisoformat(row["requested_on"]) > latest:
        raise InputError(f"{where}: requested_on '{row['requested_on']}' lies in the future; the latest is {latest}")
    if date.fromisoformat(row["requested_on"]) < EARLIEST:
        raise InputError(f"{where}: requested_on '{row['requested_on']}' is no date of now; the earliest is {EARLIEST}")
    if row["ground"] not in GROUNDS:
        raise InputError(f"{where}: ground '{row['ground']}' is not one of {', '.join(GROUNDS)}")


def _check_id(text: str, *, where: str) -> None:
    """Refuse an id that is empty, too long, or not what it looks like."""
    if not text:
        raise InputError(f"{where}: the id is empty")
    if len(text) > LONGEST:
        raise InputError(f"{where}: the id '{text}' has {len(text)} characters; allowed are {LONGEST}")
    if signs := hidden_signs(text):
        raise InputError(
            f"{where}: the id '{text}' holds {', '.join(signs[:5])}, which cannot be seen;"
            " type it as the data list has it"
        )


def check_alike(rows: list[tuple[int, dict[str, str]]], *, path: Path) -> None:
    """Refuse two ids that are drawn alike: one written with composed letters, the other with accents of their own."""
    seen: dict[str, tuple[int, str]] = {}
    for line, row in rows:
        form = unicodedata.normalize("NFC", row["id"])
        before, other = seen.setdefault(form, (line, row["id"]))
        if other != row["id"]:
            raise InputError(
                f"{path}, line {line}: id '{row['id']}' looks like that of line {before} and is written with other"
                " signs; type both as the data list has them"
            )


def _is_date(value: str) -> bool:
    try:
        return bool(DATE.fullmatch(value)) and bool(date.fromisoformat(value))
    except ValueError:
        return False


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
