"""The identity of a run or a model: what it follows from, readable, and one digest over all of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scripts.errors import InputError

PARTS = ("data", "membership", "model", "procedure", "code")

Contents = Mapping[str, Mapping[str, Mapping[str, str]]]  # set -> patient -> image id -> digest


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a result follows from.

    Attributes:
        data: set -> patient -> image id -> SHA-256 of image and label.
        membership: name -> digest of the patients on whom a model was trained.
        model: name -> SHA-256 of the weights of a model that was used.
        procedure: setting -> value, without those that cannot move a weight.
        code: version and digest of the code.
    """

    data: Contents = field(default_factory=dict)
    membership: Mapping[str, str] = field(default_factory=dict)
    model: Mapping[str, str] = field(default_factory=dict)
    procedure: Mapping[str, Any] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, content: Any, *, where: str | Path) -> Identity:
        """From what `as_dict` gave.

        Raises:
            InputError: it is something else.
        """
        if not _is_record(content):
            raise InputError(f"{where}: not a readable record of what was run; run forget again, in another output_dir")
        return cls(**{part: content[part] for part in PARTS})

    def as_dict(self) -> dict[str, Any]:
        """For JSON. It names patients and images: for a private folder."""
        return json.loads(json.dumps(asdict(self), default=str))

    def sealed(self) -> dict[str, Any]:
        """The same without ids, flat: digests of data and membership, and every setting by its name."""
        plain = self.as_dict()
        hidden = {part: plain_digest(plain[part]) for part in ("data", "membership", "model")}
        return {**hidden, **plain["procedure"], "code": " ".join(plain["code"].values())}

    @property
    def digest(self) -> str:
        """SHA-256 over all parts."""
        return plain_digest(self.as_dict())

    def differs(self, other: Identity, *, parts: Iterable[str] = PARTS) -> list[str]:
        """What is different here from `other`, by name, the most telling first; it names patients: for the terminal.

        Args:
            parts: which of `PARTS` are compared. Settings that only one of the two has are compared only where `code`
                is compared too: two phases of one run have settings of their own.
        """
        mine, theirs = self.as_dict(), other.as_dict()
        wanted = set(parts)
        found: list[str] = []
        if "data" in wanted:
            found += _data_differences(mine["data"], theirs["data"])
        for part in ("membership", "model"):
            if part in wanted:
                found += _entry_differences(mine[part], theirs[part], what=part)
        if "procedure" in wanted:
            found += _settings_differences(mine["procedure"], theirs["procedure"], whole="code" in wanted)
        if "code" in wanted and mine["code"] != theirs["code"]:
            found.append(f"code: {_code(mine)} not {_code(theirs)}")
        return found


def _is_record(content: Any) -> bool:
    """Whether every part is there and holds texts at the depth at which `as_dict` has them; settings hold anything."""
    if not isinstance(content, Mapping) or not all(isinstance(content.get(part), Mapping) for part in PARTS):
        return False
    patients = list(content["data"].values())
    if not all(isinstance(one, Mapping) and all(isinstance(own, Mapping) for own in one.values()) for one in patients):
        return False
    flat = [content[part] for part in ("membership", "model", "code")]
    flat += [images for one in patients for images in one.values()]
    return all(isinstance(value, str) for entry in flat for value in entry.values())


def plain_digest(content: Any) -> str:
    """SHA-256 of plain JSON content."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _data_differences(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    found = []
    for name in dict.fromkeys([*mine, *theirs]):
        own, other = mine.get(name, {}), theirs.get(name, {})
        if patients := _apart(own, other, what="patient"):
            found.append(f"{name}: {patients}")
            continue
        for patient in own:
            if images := _apart(own[patient], other[patient], what="image"):
                found.append(f"{name}: {images}")
            changed = [
                image for image in own[patient] if own[patient][image] != other[patient].get(image, own[patient][image])
            ]
            if changed:
                found.append(f"{name}: image '{changed[0]}' holds other content than before")
    return found


def _apart(own: Mapping[str, Any], other: Mapping[str, Any], *, what: str) -> str:
    """Which keys only one side has; empty where both have the same."""
    more, less = sorted(set(own) - set(other)), sorted(set(other) - set(own))
    if more and less:
        return f"{what} '{more[0]}' not '{less[0]}'"
    if more:
        return f"also {what} '{more[0]}'"
    return f"without {what} '{less[0]}'" if less else ""


def _entry_differences(mine: Mapping[str, Any], theirs: Mapping[str, Any], *, what: str) -> list[str]:
    said = {"membership": "was trained on other patients", "model": "is another file"}[what]
    return [f"{name} {said}" for name in sorted({*mine, *theirs}) if mine.get(name) != theirs.get(name)]


def _settings_differences(mine: Mapping[str, Any], theirs: Mapping[str, Any], *, whole: bool) -> list[str]:
    names = {*mine, *theirs} if whole else {*mine} & {*theirs}
    changed = [(name, mine.get(name), theirs.get(name)) for name in sorted(names)]
    return [
        f"{name}: another block than before" if _is_block(own) or _is_block(other) else f"{name}: {own!r} not {other!r}"
        for name, own, other in changed
        if own != other
    ]


def _is_block(value: Any) -> bool:
    """Whether it is a part of a config, which a line of an error has no room for."""
    return isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(item, Mapping) for item in value))


def _code(plain: Mapping[str, Any]) -> str:
    return f"version {plain['code'].get('version', '')} ({plain['code'].get('digest', '')[:12]})"
