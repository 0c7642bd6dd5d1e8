"""What a model descends from: one line a model, from the first training on, each bound to the line before it.

No id stands in it: models by the SHA-256 of their weights, patients as the HMACs of the hospital's tombstones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.errors import InputError
from scripts.files import write_text
from scripts.record.contents import Unreadable, parsed_json, read_regular
from scripts.record.keys import canonical

VERSION = "1"
FILE_NAME = "lineage.jsonl"
FIRST = "0" * 64  # what the first line follows
TRAINED = "train"
# Name -> type of what stands in a line.
LINE = {
    "version": str,
    "index": int,
    "model": str,
    "parents": list,
    "method": str,
    "exact": bool,
    "membership": str,
    "request": str,
    "forgotten": list,
    "verdict": str,
    "previous": str,
    "hash": str,
}


@dataclass(frozen=True)
class Descent:
    """One model.

    Attributes:
        model: SHA-256 of its weights.
        parents: of the models that it was made from: teacher, and the members that it started from or learnt of.
        method: `train`, or how its teacher forgot.
        exact: whether it was made without the forgotten data by construction.
        membership: digest of who was in it; empty where that is not on record.
        request: digest of the request; empty for a training.
        forgotten: HMACs of what it no longer holds and its teacher did.
        verdict: outcome; empty for a training.
    """

    model: str
    parents: tuple[str, ...] = ()
    method: str = TRAINED
    exact: bool = False
    membership: str = ""
    request: str = ""
    forgotten: tuple[str, ...] = ()
    verdict: str = ""


class Lineage:
    """The lines of one model, the oldest first.

    Args:
        lines: as they stand in the file.
        where: path of the file, for messages.
    """

    def __init__(self, lines: Iterable[Mapping[str, Any]] = (), *, where: str | Path = FILE_NAME) -> None:
        self.lines, self.where = [dict(line) for line in lines], Path(where)

    @classmethod
    def read(cls, path: str | Path) -> Lineage:
        """Of a file; empty where there is none.

        Raises:
            InputError: it is not what was written.
        """
        path = Path(path)
        if not path.exists() and not path.is_symlink():
            return cls(where=path)
        try:
            raw = read_regular(path).split(b"\n")
            lines = [parsed_json(line) for line in raw[:-1]]
            sound = not raw[-1] and all(
                isinstance(line, dict) and canonical(line) == text for line, text in zip(lines, raw, strict=False)
            )
        except (Unreadable, ValueError, TypeError) as error:
            raise InputError(f"{path}: not a readable lineage: {error}") from error
        if not sound:
            raise InputError(f"{path}: not a readable lineage: a line has another form")
        found = cls(lines, where=path)
        if problem := found.problem():
            raise InputError(f"{path}: not a readable lineage: {problem}")
        return found

    def problem(self) -> str:
        """What does not hold in the chain; empty where all does."""
        previous = FIRST
        for number, line in enumerate(self.lines):
            if set(line) != set(LINE):
                return f"line {number} is not of a lineage"
            if any(type(line[name]) is not kind for name, kind in LINE.items()) or line["version"] != VERSION:
                return f"line {number} is not of a lineage"
            if line["index"] != number or line["previous"] != previous or line["hash"] != _hash(line):
                return f"line {number} does not follow the one before it, or was changed"
            if number and self.lines[number - 1]["model"] not in line["parents"]:
                return f"line {number} does not descend from the model of the line before it"
            previous = line["hash"]
        return ""

    @property
    def model(self) -> str:
        """Digest of the model that this is the lineage of; empty without lines."""
        return str(self.lines[-1]["model"]) if self.lines else ""

    def then(self, descent: Descent) -> Lineage:
        """With one more line.

        Raises:
            InputError: it does not descend from the last model.
        """
        own = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(descent).items()}
        previous = self.lines[-1]["hash"] if self.lines else FIRST
        line: dict[str, Any] = {"version": VERSION, "index": len(self.lines), **own, "previous": previous}
        line["hash"] = _hash(line)
        found = Lineage([*self.lines, line], where=self.where)
        if problem := found.problem():
            raise InputError(f"{self.where}: {problem}")
        return found

    def write(self, path: str | Path) -> None:
        """To a file."""
        write_text(path, "".join(f"{canonical(line).decode()}\n" for line in self.lines))

    def forgot(self, units: Iterable[str]) -> list[int]:
        """Places of the lines at which one of these units, as HMACs, was forgotten."""
        asked = set(units)
        return [line["index"] for line in self.lines if not asked.isdisjoint(line["forgotten"])]

    @property
    def exact(self) -> bool:
        """Whether everything that was ever forgotten was so by construction."""
        forgetting = [line for line in self.lines if line["forgotten"]]
        return bool(forgetting) and all(line["exact"] for line in forgetting)


def _hash(line: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical({name: line[name] for name in LINE if name != "hash" and name in line})).hexdigest()
