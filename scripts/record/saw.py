"""Whether somebody was in a model, in what it descends from, and in the pool beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.cohort.model_record import ModelRecord
from scripts.data.source import LEVEL_KEYS
from scripts.errors import InputError
from scripts.messages import number_of
from scripts.record.keys import HospitalKeys
from scripts.record.lineage import FILE_NAME, Lineage

ASKED = ("patient", "image")  # levels at which a model's record can answer


@dataclass(frozen=True)
class Answer:
    """Of one model.

    Attributes:
        model: its file, or its digest where it is an ancestor.
        saw: whether it was trained on the unit; None where that is not on record.
        why: in words.
    """

    model: str
    saw: bool | None
    why: str


def answers(
    model: str | Path, unit: str, *, level: str, keys: Sequence[HospitalKeys] = (), pool: str | Path = ""
) -> Iterator[Answer]:
    """Of the model, its ancestors and its pool.

    Args:
        unit: id of a patient or an image.
        keys: of the hospital; without them ancestors that forgot are not recognised.
        pool: folder of the fold teachers; empty: that of the model.

    Raises:
        InputError: there is no such model or folder; a record is damaged; a level at which no record answers.
    """
    path = Path(model)
    folder = Path(pool) if pool else path.parent
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    if not path.is_file():
        raise InputError(f"{path}: no such model")
    if level not in ASKED:
        raise InputError(f"level: '{level}' is not one of {', '.join(ASKED)} (of {', '.join(LEVEL_KEYS)})")
    own = _recorded(path, unit, level)
    yield own
    yield from _ancestors(path, unit, level, keys, still=own.saw is True)
    for member in sorted(folder.glob("model_fold*.pt")):
        if member != path:
            yield _recorded(member, unit, level)


def _recorded(path: Path, unit: str, level: str) -> Answer:
    record = ModelRecord.read(path)
    if record is None or record.membership is None:
        return Answer(str(path), None, "has no record of who was in it")
    saw = record.membership.saw(unit) if level == "patient" else record.membership.saw_image(unit)
    told = record.unlearned and record.fold >= 0 and not saw  # of a teacher its lineage tells more
    since = f"; since its training it unlearned {number_of(record.unlearned, 'patient')}" if told else ""
    return Answer(str(path), saw, f"by its record{since}")


def _ancestors(path: Path, unit: str, level: str, keys: Sequence[HospitalKeys], *, still: bool) -> Iterator[Answer]:
    lineage = Lineage.read(path.parent / FILE_NAME)
    hidden = [one.hide(level, unit) for one in keys]
    forgot = lineage.forgot(hidden)
    for line in lineage.lines[:-1]:
        later = [place for place in forgot if place > line["index"]]
        if still:
            # What a model holds, those that it was made from held as well: only requests change it.
            yield Answer(line["model"], True, "by the record of the model that descends from it")
        elif later:
            after = lineage.lines[later[0]]
            exact = "by construction" if after["exact"] else f"verdict {after['verdict'] or 'none'}"
            yield Answer(line["model"], True, f"forgotten by {after['method']}, {exact}")
        else:
            why = "no later model forgot it" if keys else "give --key-dir to know what later models forgot"
            yield Answer(line["model"], None, why)
