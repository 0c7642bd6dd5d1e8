"""Fingerprints by which look-alikes are found, computed once per image and kept beside the models.

They depend on no request. Without them every request would decode every image of every set to look for copies.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from scripts.cohort.cohort import Record
from scripts.cohort.near_duplicates import fingerprint
from scripts.files import keep_json

FILE_NAME = "fingerprints.json"
VERSION = 2  # of `fingerprint`: another one makes other prints
BITS, FLOATS = "bits", "floats"


class Fingerprints:
    """The fingerprint of a record's image, looked up where its content is known.

    Args:
        loading: see `DataSource.loading`; only the image is loaded.
        path: where they are kept, mode 0600; None keeps none.
        digest: of a record's content, by which it is known; None where nothing is kept.
        about: what else a print follows from: how images are read.
    """

    def __init__(
        self,
        loading: Sequence[Callable[[Record], Record]],
        *,
        path: Path | None = None,
        digest: Callable[[Record], str] | None = None,
        about: str = "",
    ) -> None:
        self.loading, self.path, self.digest = loading, path, digest
        self.about = f"{VERSION}:{about}"
        self._kept = _read(path) if path is not None else {}
        self._new = False

    def of(self, record: Record) -> np.ndarray:
        """64 bits or a vector, see `fingerprint`; the image is loaded only where its print is not known."""
        if self.digest is None:
            return self._computed(record)
        key = f"{self.about}:{self.digest(record)}"
        if key not in self._kept:
            self._kept[key] = _packed(self._computed(record))
            self._new = True
        return _unpacked(self._kept[key])

    def save(self) -> None:
        """Keep what was computed, where the folder can be written to."""
        if self.path is not None and self._new:
            self._new = not keep_json(self.path, self._kept)

    def _computed(self, record: Record) -> np.ndarray:
        for step in self.loading:
            record = step(record)
            if isinstance(record["image"], torch.Tensor):
                break
        return fingerprint(record["image"])


def _packed(values: np.ndarray) -> str:
    if values.dtype == bool:
        return f"{BITS}:{np.packbits(values).tobytes().hex()}"
    return f"{FLOATS}:{base64.b64encode(values.astype(np.float32).tobytes()).decode()}"


def _unpacked(text: str) -> np.ndarray:
    kind, _, content = text.partition(":")
    if kind == BITS:
        return np.unpackbits(np.frombuffer(bytes.fromhex(content), dtype=np.uint8)).astype(bool)
    return np.frombuffer(base64.b64decode(content), dtype=np.float32)


def _read(path: Path) -> dict[str, str]:
    """What was kept of this version; a file that is damaged is computed again."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        for text in content.values():
            _unpacked(text)
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return {}
    return {key: text for key, text in content.items() if key.startswith(f"{VERSION}:")}
