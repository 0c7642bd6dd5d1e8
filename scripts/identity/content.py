"""SHA-256 of what the files of a record hold, computed once per path, size and times."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scripts.errors import InputError
from scripts.files import keep_json

FILES = ("image", "label")  # entries of a record that may name a file
BLOCK = 2**20  # bytes read at once


class ContentDigests:
    """Digests of files and records.

    Args:
        cache: JSON file that keeps the digests from command to command; its keys are digests of path, size and times,
            so that it names nobody. None keeps nothing, and so does a folder that cannot be written to.
    """

    def __init__(self, cache: str | Path | None = None) -> None:
        self.path = Path(cache) if cache else None
        self._known: dict[str, str] = self._read()
        self._new = False

    def of_record(self, record: Mapping[str, Any]) -> str:
        """Digest of image and label: of the files' bytes, or of the values where they are no files."""
        found = hashlib.sha256()
        for key in FILES:
            value = record.get(key)
            found.update(f"{key}:{self._of_value(value)};".encode())
        # What changes how a constructed control is drawn; real records carry nothing else that reaches a network.
        found.update(repr(record.get("label_shrink")).encode())
        return found.hexdigest()

    def of_records(self, records: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
        """Patient -> image id -> digest."""
        table: dict[str, dict[str, str]] = {}
        for record in records:
            table.setdefault(record["patient_id"], {})[record["image_id"]] = self.of_record(record)
        return table

    def save(self) -> None:
        """Keep what was computed."""
        if self.path is not None and self._new:
            self._new = not keep_json(self.path, self._known)

    def _of_value(self, value: Any) -> str:
        if isinstance(value, str) and os.path.isfile(value):
            return self.of_file(value)
        if isinstance(value, list):
            return hashlib.sha256(",".join(self._of_value(one) for one in value).encode()).hexdigest()
        return hashlib.sha256(repr(value).encode()).hexdigest()

    def of_file(self, path: str | Path) -> str:
        """SHA-256 of a file.

        Raises:
            InputError: it cannot be read.
        """
        try:
            status = os.stat(path)
            # The time of the last change of the entry as well: a program may set the other one back.
            times = f"{status.st_mtime_ns}|{status.st_ctime_ns}"
            key = f"{os.path.realpath(path)}|{status.st_ino}|{status.st_size}|{times}"
            key = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:32]
            if key not in self._known:
                self._known[key] = _digest(path)
                self._new = True
            return self._known[key]
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error

    def _read(self) -> dict[str, str]:
        """What was kept; a file that is damaged is computed again."""
        if self.path is None or not self.path.is_file():
            return {}
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        sound = isinstance(content, dict) and all(isinstance(value, str) for value in content.values())
        return content if sound else {}


def _digest(path: str | Path) -> str:
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
    return found.hexdigest()
