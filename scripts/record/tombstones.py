"""Who was forgotten, as HMACs: whatever reads records afterwards finds out who must not be taken in again."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scripts.data.source import LEVEL_KEYS
from scripts.errors import InputError
from scripts.files import write_text
from scripts.record.contents import Unreadable, parsed_json, read_regular
from scripts.record.keys import HospitalKeys, canonical, load_keys, signed_by
from scripts.record.places import refuse_inside_run
from scripts.system import CLOEXEC, NOFOLLOW, lock

ROW = ("key_id", "level", "request", "unit")
DIGEST = re.compile("[0-9a-f]{64}")
LARGEST = 2**31  # bytes of a list
PATIENCE = 60.0  # seconds that another command may hold the list


class Tombstones:
    """`tombstones.jsonl`: one line a unit, the last line the signature of all before it.

    Rows of several keys stand in one list, each with the id of the key that hid it: after a change of keys the old
    ones are still read. The newest of `keys` signs the whole list, whose older rows it has found sound.

    Args:
        path: of the list; it may be missing, and is then empty.
        keys: of the hospital; the first signs and hides, all are read.

    Raises:
        InputError: the list was changed, cannot be read, lies inside a run, or has to do with a key that is not given.
    """

    def __init__(self, path: str | Path, *, keys: HospitalKeys | Sequence[HospitalKeys]) -> None:
        refuse_inside_run(path, setting="tombstones")
        self.path = Path(os.path.realpath(path))
        self.keys = (keys,) if isinstance(keys, HospitalKeys) else tuple(keys)
        self.rows: list[dict[str, str]] = self._read()

    def add(self, *, level: str, units: Iterable[str], request: str) -> int:
        """Add units of one level that are not there yet; how many they were.

        Args:
            units: their HMACs, by the first key.
            request: digest of the request.
        """
        return self.add_units([(level, unit) for unit in units], request=request)

    def add_units(self, units: Iterable[tuple[str, str]], *, request: str) -> int:
        """Add (level, HMAC) of several levels in one step; how many were not there yet.

        The list is read again under its lock: what another command added meanwhile stays.

        Raises:
            InputError: as the class; another command holds the list for more than a minute.
        """
        own = self.keys[0]
        with self._locked():
            self.rows = self._read()
            known = {(row["level"], row["unit"]) for row in self.rows}
            new = sorted(set(units) - known)
            self.rows += [
                {"key_id": own.key_id, "level": level, "request": request, "unit": unit} for level, unit in new
            ]
            body = "".join(f"{canonical(row).decode()}\n" for row in self.rows)
            last = canonical({"key_id": own.key_id, "signature": own.sign(body.encode())}).decode()
            write_text(self.path, f"{body}{last}\n")
        return len(new)

    def require_free(self) -> None:
        """Wait until no other command holds the list: asked before what cannot be undone, which ends with `add_units`.

        Nothing is made: where there is no lock, nobody holds the list.

        Raises:
            InputError: another command holds it for more than a minute.
        """
        if os.path.lexists(self._lock):
            with self._locked():
                pass

    def holds(self, record: Mapping[str, Any]) -> bool:
        """Whether a record of a data list belongs to a forgotten unit, at whatever level it was forgotten."""
        return not self._units().isdisjoint(self._names(record))

    def gone(self, records: Iterable[Mapping[str, Any]]) -> frozenset[str]:
        """Image ids of the records that belong to a forgotten unit."""
        units = self._units()
        return frozenset(str(one["image_id"]) for one in records if not units.isdisjoint(self._names(one)))

    def _units(self) -> set[tuple[str, str, str]]:
        return {(row["key_id"], row["level"], row["unit"]) for row in self.rows}

    def _names(self, record: Mapping[str, Any]) -> set[tuple[str, str, str]]:
        """All that a record could be called in the list: each level, hidden with each key."""
        return {
            (keys.key_id, level, keys.hide(level, str(record[name])))
            for keys in self.keys
            for level, name in LEVEL_KEYS.items()
            if record.get(name) not in (None, "")
        }

    def _read(self) -> list[dict[str, str]]:
        if not os.path.lexists(self.path):
            return []
        try:
            raw = read_regular(self.path, largest=LARGEST)
            body, last = _divided(raw)
            rows = [_object(line) for line in body.splitlines()]
            ending = _object(last)
        except Unreadable as error:
            raise InputError(f"{self.path}: not a readable list of tombstones: {error}") from error
        signer = self._signer(ending, body)
        # Lists of the first version name no key: they have one, that of the signature.
        rows = [{"key_id": signer.key_id, **row} for row in rows]
        if any(sorted(row) != list(ROW) or row["level"] not in LEVEL_KEYS for row in rows):
            raise InputError(f"{self.path}: not a readable list of tombstones: a row has another form")
        foreign = {row["key_id"] for row in rows} - {keys.key_id for keys in self.keys}
        if foreign:
            raise InputError(f"{self.path}: {_lacking(min(foreign))}")
        return rows

    def _signer(self, ending: Mapping[str, str], body: bytes) -> HospitalKeys:
        """The key that signed the list."""
        if not {"signature"} <= set(ending) <= {"key_id", "signature"}:
            raise InputError(f"{self.path}: not a readable list of tombstones: it does not end with a signature")
        named = ending.get("key_id")
        able = [keys for keys in self.keys if named in (None, keys.key_id)]
        if named is not None and not able:
            raise InputError(f"{self.path}: {_lacking(named)}")
        for keys in able:
            if signed_by(keys.public_pem, body, ending["signature"]):
                return keys
        raise InputError(f"{self.path}: was changed, or is signed with another key than that of key_dir")

    @property
    def _lock(self) -> Path:
        return self.path.with_name(f".{self.path.name}.lock")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the list alone. The lock is a file of its own, since the list is replaced by a new one each time."""
        lock = self._lock
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            number = os.open(lock, os.O_RDWR | os.O_CREAT | NOFOLLOW | CLOEXEC, 0o600)
        except OSError as error:
            raise InputError(f"tombstones: {lock} cannot be made ({error.strerror})") from error
        try:
            end = time.monotonic() + PATIENCE
            while not _taken(number):
                if time.monotonic() > end:
                    raise InputError(f"tombstones: {self.path} is held by another command; try again when it has ended")
                time.sleep(0.05)
            yield
        finally:
            os.close(number)


def gone_images(
    records: Iterable[Mapping[str, Any]], *, tombstones: str = "", key_dir: str | Sequence[str] = ""
) -> frozenset[str]:
    """Image ids of the records that belong to a unit that was forgotten, at whatever level; empty without a list.

    Args:
        tombstones: path of the list; empty: none is kept.
        key_dir: folder of the hospital's keys, or several: the present one first.

    Raises:
        InputError: only one of the two settings is given, or the list cannot be read or verified.
    """
    if bool(tombstones) != bool(key_dir):
        raise InputError("tombstones, key_dir: give both, or neither")
    if not tombstones:
        return frozenset()
    if not isinstance(tombstones, str | Path):
        raise InputError(f"tombstones: {str(tombstones)[:80]!r} is not the path of a list")
    if not os.path.exists(tombstones):
        raise InputError(f"tombstones: {tombstones}: no such file")
    return Tombstones(tombstones, keys=load_keys(key_dir)).gone(records)


def _divided(raw: bytes) -> tuple[bytes, bytes]:
    """All lines but the last one, and that one."""
    if not raw.endswith(b"\n"):
        raise Unreadable("the last line is not whole")
    body, _, last = raw[:-1].rpartition(b"\n")
    return (body + b"\n" if body else b""), last


def _object(line: bytes) -> dict[str, str]:
    content = parsed_json(line)
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise Unreadable("a line is not an object of texts")
    if canonical(content) != line:
        raise Unreadable("a line is not in the form in which it was written")
    return content


def _lacking(key: str) -> str:
    known = key if DIGEST.fullmatch(key) else "of no readable name"
    return f"holds entries of key {known}, which is not given; give the folder of that key in key_dir too"


def _taken(number: int) -> bool:
    try:
        return lock(number)
    except OSError as error:
        raise InputError(f"tombstones: the list's file system knows no locks ({error.strerror})") from error
