"""Ages as tables and DICOM headers write them, in years."""

from __future__ import annotations

import re
from typing import Any

DICOM_AGE = re.compile(r"(\d{1,3})([YMWD])", re.IGNORECASE)
PER_YEAR = {"Y": 1.0, "M": 12.0, "W": 52.1775, "D": 365.2425}
OLDEST = 130.0  # years; above it a number is a code such as 999


def years(value: Any) -> float | None:
    """Years from a number, its text, or a DICOM age string (045Y, 540M, 012W, 003D); None where it is none of them."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    text = str(value).strip()
    if dicom := DICOM_AGE.fullmatch(text):
        found = int(dicom.group(1)) / PER_YEAR[dicom.group(2).upper()]
    else:
        try:
            found = float(text)
        except ValueError:
            return None
    return found if 0 <= found <= OLDEST else None


def plain_age(value: Any) -> Any | None:
    """The value where it is a number of years already, else the years that it stands for; None where not understood."""
    found = years(value)
    if found is None or not isinstance(value, str) or not DICOM_AGE.fullmatch(value.strip()):
        return None if found is None else value
    return round(found, 2)
