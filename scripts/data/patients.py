"""The patient of an image, where a data list has none: by its file's name or by a table."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.errors import InputError


def patients_of(given: str) -> Callable[[str, Any, str], str]:
    """From the path of an image and the id in its entry to the patient's id.

    Raises:
        InputError: a regular expression that cannot be read or has not one group, a CSV file without the columns.
    """
    if given.lower().endswith(".csv"):
        return _by_table(Path(given).expanduser())
    try:
        pattern = re.compile(given)
    except re.error as error:
        raise InputError(f"patient_from: '{given}' is no regular expression ({error})") from error
    if given and pattern.groups != 1:
        raise InputError(f"patient_from: '{given}' has {pattern.groups} groups; one is needed, around the patient's id")

    def found(name: str, own: Any, where: str) -> str:
        if not given:
            if own in (None, ""):
                raise InputError(
                    f"{where}: has no patient_id; give patient_from: a regular expression on file names with one group,"
                    " or a CSV file with the columns image and patient_id"
                )
            return own
        matched = pattern.search(name)
        if matched is None or not matched[1]:
            raise InputError(f"{where}: patient_from: '{given}' finds no patient in '{name}'")
        return matched[1]

    return found


def _by_table(path: Path) -> Callable[[str, Any, str], str]:
    if not path.is_file():
        raise InputError(f"patient_from: {path}: no such file")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"patient_from: {path}: not a readable CSV file ({error})") from error
    table: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        image, patient = row.get("image"), row.get("patient_id")
        if not image or not patient:
            raise InputError(f"patient_from: {path}: line {number}: needs the columns image and patient_id")
        if table.setdefault(image, patient) != patient:
            raise InputError(f"patient_from: {path}: line {number}: '{image}' has two patients")

    def found(name: str, own: Any, where: str) -> str:
        patient = table.get(name) or table.get(Path(name).name)
        if patient is None:
            raise InputError(f"{where}: patient_from: {path} has no row for '{name}'")
        return patient

    return found
