"""The JSON file of a datalist: its lists, and what an entry may hold."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from scripts.data.ids import checked_id, shown
from scripts.data.notices import counted, notice
from scripts.data.pictures import PICTURES
from scripts.data.source import Record, files_of
from scripts.data.volumes import VOLUMES
from scripts.errors import InputError

SECTIONS = {"training": None, "validation": "validation", "testing": "test", "test": "test"}
ID_KEYS = ("image_id", "lesion_id", "study_id", "series_id", "diagnosis")
TEXT_KEYS = ("sex", "site")
KNOWN_KEYS = ("image", "label", "patient_id", "age", "split", *ID_KEYS, *TEXT_KEYS)
SPLITS = ("train", "validation", "test")


def entry_record(entry: Any, split: str | None, *, folder: Path, where: str) -> Record:
    """One entry of a list, its paths below `folder`; `where` stays in it, for messages.

    Raises:
        InputError: a key is missing or holds another type; a path leads out of the folder.
    """
    if not isinstance(entry, dict):
        raise InputError(f"{where}: must be an object with image, label and patient_id")
    for key in ("image", "label", "patient_id"):
        if entry.get(key) in (None, ""):
            raise InputError(f"{where}: '{key}' is missing; needed are image, label and patient_id")
    image = _file(entry["image"], folder, where)
    label = entry["label"]
    listed = isinstance(label, list) and bool(label)
    if isinstance(label, bool) or not (listed or isinstance(label, (int, str))):
        raise InputError(
            f"{where}: label '{shown(label)}' is neither a mask file, or a list of them, nor a class number"
        )
    masks = [str(_file(one, folder, where)) for one in label] if listed else []
    patient = checked_id(entry["patient_id"], key="patient_id", where=where)
    record: Record = {
        "image": str(image),
        "label": masks or (label if isinstance(label, int) else str(_file(label, folder, where))),
        "image_id": str(entry["image"]).removesuffix(".gz").rsplit(".", 1)[0],
        "patient_id": patient,
        "where": where,
    }
    given = {key: entry[key] for key in (*ID_KEYS, *TEXT_KEYS) if entry.get(key) not in (None, "")}
    for key, value in given.items():
        strict = key in ID_KEYS
        record[key] = checked_id(value if strict else _stripped(value), key=key, where=where)
    if entry.get("age") not in (None, ""):
        record["age"] = entry["age"]
    named = _split(entry, split, where)
    return {**record, "split": named} if named else record


def _file(name: Any, folder: Path, where: str) -> Path:
    """The file called `name`, inside the folder and not through a link out of it."""
    if not isinstance(name, str):
        raise InputError(f"{where}: '{shown(name)}' is not a path")
    if not name.lower().endswith((*PICTURES, *VOLUMES)):
        raise InputError(f"{where}: '{name}' is not one of {', '.join((*PICTURES, *VOLUMES))}")
    if "\0" in name or any("\ud800" <= sign <= "\udfff" for sign in name):
        raise InputError(f"{where}: '{shown(name)}' holds a sign that no file name can have")
    root = folder.resolve()
    path = folder / name
    if ".." in Path(name).parts or not path.resolve().is_relative_to(root):
        raise InputError(f"{where}: '{name}' leads out of {folder}; paths and links must stay inside it")
    return path


def check_files(records: list[Record]) -> None:
    """Refuse a file that is missing, and an image file that two entries name, under whatever path: forgetting one
    would leave the other."""
    seen: dict[Any, str] = {}
    for record in records:
        where, image = record["where"], record["image"]
        files = [image, *files_of(record["label"])]
        if missing := [path for path in files if not os.path.isfile(path)]:
            raise InputError(f"{where}: no such file {missing[0]}")
        status = os.stat(image)
        other = seen.setdefault((status.st_dev, status.st_ino), where)
        if other != where:
            raise InputError(f"{where}: image {image} is the file of {other.rsplit(': ', 1)[-1]} too; list it once")
        if twice := [path for path in files if files.count(path) > 1]:
            raise InputError(f"{where}: image and label, or two of its masks, are the same file {twice[0]}")


def _stripped(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _split(entry: dict[str, Any], section: str | None, where: str) -> str | None:
    """The set that an entry is in by its section or by itself; None for training.

    Raises:
        InputError: a set that does not exist, or another one than the section's.
    """
    own = entry.get("split")
    if own in (None, ""):
        return section
    if own not in SPLITS:
        raise InputError(f"{where}: split '{shown(own)}' is not one of {', '.join(SPLITS)}")
    if section and own != section:
        raise InputError(f"{where}: split '{own}' contradicts the list that it stands in, {section}")
    return own if own != "train" else None


def say_unknown(entries: list[Any], *, where: Path) -> None:
    unknown = [shown(key) for entry in entries for key in entry if key not in KNOWN_KEYS]
    if unknown:
        number = sum(any(key not in KNOWN_KEYS for key in entry) for entry in entries)
        notice(f"{where}: {number} entries have keys that are not read: {counted(unknown)}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object none of whose keys stands twice: Python would keep the last in silence."""
    keys = [key for key, _ in pairs]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise InputError(f"key '{shown(twice)}' stands twice in one object")
    return dict(pairs)


def read_sections(path: Path) -> list[tuple[str, str | None, list[Any]]]:
    """Name, official split and entries of each list in the file."""
    if not path.is_file():
        raise InputError(f"{path}: no such datalist file")
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_once)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a JSON file: {error}") from error
    if isinstance(content, list):
        return [("list", None, content)]
    if not isinstance(content, dict) or not any(name in content for name in SECTIONS):
        raise InputError(f"{path}: must hold a list, or lists called {', '.join(SECTIONS)}")
    sections = [(name, split, content[name]) for name, split in SECTIONS.items() if name in content]
    for name, _, listed in sections:
        if not isinstance(listed, list):
            raise InputError(f"{path}: '{name}' must be a list")
    unread = [shown(name) for name, listed in content.items() if name not in SECTIONS and isinstance(listed, list)]
    if unread:
        notice(f"{path}: {len(unread)} lists are not read: {counted(unread)}; read are {', '.join(SECTIONS)}")
    return sections
