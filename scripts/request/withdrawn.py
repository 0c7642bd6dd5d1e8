"""A bare list of ids, one a line, as biobanks send withdrawals of consent: it names no date, so that one is given.

A command knows the two together as `LIST@DATE`.
"""

from __future__ import annotations

import re
from pathlib import Path

from scripts.errors import InputError
from scripts.request.request import REQUEST_ID, Request, check_alike, check_row, request_text

DATED = re.compile(r"(?P<path>.+)@(?P<date>[^@/]*)", re.DOTALL)
HEADERS = ("id", "ids", "eid", "patient", "patient_id")  # of the only column, where a list has a first line of its own
LEVEL, GROUND = "patient", "consent_withdrawn"


def dated(path: str, requested_on: str) -> str:
    """The list with its date, as `read_withdrawn` reads it."""
    return f"{path}@{requested_on}"


def is_withdrawn(path: str | Path) -> bool:
    """Whether a setting `request` names a list with its date, and no file."""
    return DATED.fullmatch(str(path)) is not None and not Path(path).exists()


def read_withdrawn(path: str | Path) -> Request:
    """The request of `LIST@DATE`: the patients who withdrew their consent, called after the file.

    Raises:
        InputError: names the file, the line, the value and what is allowed.
    """
    found = DATED.fullmatch(str(path))
    assert found is not None, "asked by is_withdrawn"
    file, requested_on = Path(found["path"]), found["date"]
    name = file.stem
    if not REQUEST_ID.fullmatch(name):
        raise InputError(
            f"{file}: its name is that of the request, and '{name}' is not 1 to 64 of A-Z a-z 0-9 . _ - without a"
            " leading dot; rename the file"
        )
    rows: list[tuple[int, dict[str, str]]] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(request_text(file).splitlines(), start=1):
        unit = line.strip(" \t\r\n").strip('"')
        if not unit or (not rows and unit.lower() in HEADERS):
            continue
        if re.search(r"[,;\t]", unit):
            raise InputError(f"{file}, line {number}: '{unit}' has several columns; a list of withdrawals has one")
        row = {"request_id": name, "level": LEVEL, "id": unit, "requested_on": requested_on, "ground": GROUND}
        check_row(row, where=f"{file}, line {number}")
        if unit in seen:
            raise InputError(f"{file}, line {number}: id '{unit}' repeats line {seen[unit]}; list each id once")
        seen[unit] = number
        rows.append((number, row))
    if not rows:
        raise InputError(f"{file}: the list names no id; one stands in each line")
    check_alike(rows, path=file)
    return Request(name, LEVEL, tuple(sorted(seen)), requested_on, GROUND, str(file))
