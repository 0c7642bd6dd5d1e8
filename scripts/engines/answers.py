"""`answers.json` in the folder of the pool: mean scores on the selection set, which no request changes.

A fold teacher's predictions are brought to the teacher's calibration by the ratio of two such scores. Where they are
known no image of the selection set is decoded in a request.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.errors import InputError
from scripts.files import read_json, write_json
from scripts.identity import file_digest
from scripts.identity.identity import plain_digest

FILE_NAME = "answers.json"
FORMAT = 1


class PoolAnswers:
    """Scores by what they follow from: the models, the selection set's contents, and how images are read and run.

    Args:
        folder: of the pool.
        about: digests of the selection set's contents, and the settings by which its images are read and run.
    """

    def __init__(self, folder: str | Path, *, about: Any) -> None:
        self.path = Path(folder) / FILE_NAME
        self.about = about
        self._scores = _read(self.path)

    def score(self, models: Sequence[Path]) -> float | None:
        """Mean score on the selection set, nats, of the mean of these models; None where it is not known."""
        return self._scores.get(self._key(models))

    def add(self, scores: Mapping[tuple[Path, ...], float]) -> None:
        """Write scores down: models -> mean score of their mean."""
        self._scores |= {self._key(models): float(score) for models, score in scores.items()}
        write_json(self.path, {"format": FORMAT, "scores": self._scores})

    def _key(self, models: Sequence[Path]) -> str:
        return plain_digest([[file_digest(path) for path in models], self.about])


def _read(path: Path) -> dict[str, float]:
    if not path.is_file():
        return {}
    remedy = "remove it, or run prepare again"
    found = read_json(path, remedy=remedy)
    scores: Any = found.get("scores")
    sound = found.get("format") == FORMAT and isinstance(scores, dict)
    if not sound or not all(isinstance(score, float) and math.isfinite(score) for score in scores.values()):
        raise InputError(f"{path}: is damaged, not what this bundle writes; {remedy}")
    return dict(scores)
