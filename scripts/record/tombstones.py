"""Who was forgotten, as HMACs: a later training finds out that it would take a forgotten patient in again."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.data.source import LEVEL_KEYS
from scripts.errors import InputError, Refused
from scripts.files import write_text
from scripts.record.keys import HospitalKeys, canonical, signed_by

LAST = "signature"


class Tombstones:
    """`tombstones.jsonl`: one line a unit, the last line the signature of all before it.

    Raises:
        InputError: the file was changed, or is signed with another key.
    """

    def __init__(self, path: str | Path, *, keys: HospitalKeys) -> None:
        self.path, self.keys = Path(path), keys
        self.rows: list[dict[str, Any]] = self._read() if self.path.exists() else []

    def add(self, *, level: str, units: Iterable[str], request: str) -> int:
        """Add units that are not there yet; how many they were.

        Args:
            units: their HMACs.
            request: digest of the request.
        """
        known = {(row["level"], row["unit"]) for row in self.rows}
        new = [unit for unit in sorted(set(units)) if (level, unit) not in known]
        self.rows += [{"level": level, "unit": unit, "request": request} for unit in new]
        body = "".join(f"{canonical(row).decode()}\n" for row in self.rows)
        signature = canonical({LAST: self.keys.sign(body.encode())}).decode()
        write_text(self.path, f"{body}{signature}\n")
        return len(new)

    def holds(self, record: Mapping[str, Any]) -> bool:
        """Whether a record of a data list belongs to a forgotten unit, at whatever level it was forgotten."""
        units = {(row["level"], row["unit"]) for row in self.rows}
        return any(
            (level, self.keys.hide(level, str(record[key]))) in units
            for level, key in LEVEL_KEYS.items()
            if record.get(key)
        )

    def _read(self) -> list[dict[str, Any]]:
        body, _, last = self.path.read_bytes().rstrip(b"\n").rpartition(b"\n")
        body += b"\n" if body else b""
        try:
            signature = str(json.loads(last)[LAST])
            rows = [json.loads(line) for line in body.splitlines()]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{self.path}: not a readable list of tombstones") from error
        if not signed_by(self.keys.public_pem, body, signature):
            raise InputError(f"{self.path}: was changed, or is signed with another key than that of key_dir")
        return rows


def allowed_records(
    records: Sequence[Mapping[str, Any]], *, tombstones: str = "", key_dir: str = "", without: Collection[int] = ()
) -> Sequence[Mapping[str, Any]]:
    """The records, unless one of them was forgotten before.

    Args:
        tombstones: path of the list; empty: none is kept.
        key_dir: folder of the hospital's keys.
        without: positions that are left out of training anyway.

    Raises:
        Refused: a record belongs to a forgotten unit; the first is named.
        InputError: only one of the two settings is given, or the list cannot be read.
    """
    if bool(tombstones) != bool(key_dir):
        raise InputError("tombstones, key_dir: give both, or neither")
    if not tombstones:
        return records
    if not Path(tombstones).is_file():
        raise InputError(f"tombstones: {tombstones}: no such file")
    kept = Tombstones(tombstones, keys=HospitalKeys.load(key_dir))
    left = set(without)
    found = [record for number, record in enumerate(records) if number not in left and kept.holds(record)]
    if found:
        raise Refused(
            f"{tombstones}: {len(found)} training images belong to patients or images that were forgotten,"
            f" the first is {found[0]['image_id']}; take them out of the data set"
        )
    return records


def gone_images(
    records: Sequence[Mapping[str, Any]], *, tombstones: str, key_dir: str | Sequence[str]
) -> frozenset[str]:
    """Image ids of the records that belong to what was forgotten before."""
    if not tombstones:
        return frozenset()
    kept = Tombstones(tombstones, keys=HospitalKeys.load(str(key_dir)))
    return frozenset(str(record["image_id"]) for record in records if kept.holds(record))
