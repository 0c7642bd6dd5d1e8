"""What lies in a folder, entry by entry, without following a link, opening a pipe or trusting a file's content."""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.errors import InputError
from scripts.system import BINARY, CLOEXEC, NOFOLLOW, NONBLOCK

LARGEST = 64 * 2**20  # bytes of a JSON file of a release; the largest ones hold some hundred kilobytes
LARGEST_OWN = 2**32  # bytes of a JSON file of a run's own, the scores of many models among them
LARGEST_HASHED = 2**33  # bytes of any file of a release; a file with holes can say that it has a million times more
BLOCK = 2**20  # bytes that are hashed at a time
RELATIVE, ABSOLUTE = 1e-6, 1e-9  # by which figures of two machines may differ
KINDS = (
    (stat.S_ISLNK, "a link"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)


class Unreadable(Exception):
    """A file that cannot be taken for what it should be; the message says why and does not name the file."""


@dataclass
class Contents:
    """Everything below a folder, by its path relative to the folder.

    Attributes:
        files: the regular files of one name each.
        odd: whatever else there is, and what it is: links, pipes, folders without a file, files with a second name
            or too large to be checked.
    """

    files: list[str] = field(default_factory=list)
    odd: dict[str, str] = field(default_factory=dict)


def contents(folder: str | Path) -> Contents:
    """List a folder with all its sub-folders; hidden entries are listed as any other, links are not followed."""
    found, waiting = Contents(), [""]
    while waiting:
        place = waiting.pop()
        try:
            with os.scandir(Path(folder) / place) as listing:
                entries = list(listing)
        except OSError as error:
            found.odd[place or "."] = f"a folder that cannot be read ({error.strerror})"
            continue
        if not entries and place:
            found.odd[place] = "an empty folder"
        waiting += [name for entry in entries if (name := _sort(entry, place, found))]
    found.files.sort()
    return found


def read_regular(path: str | Path, *, largest: int = LARGEST) -> bytes:
    """The bytes of a regular file that is no link.

    Raises:
        Unreadable: it is missing, of another kind, too large, or cannot be opened.
    """
    with os.fdopen(_open(path), "rb") as file:
        if os.fstat(file.fileno()).st_size > largest:
            raise Unreadable(f"is larger than {largest} bytes")
        return file.read(largest + 1)[:largest]


def file_digest(path: str | Path) -> str:
    """SHA-256 of a regular file that is no link, read in blocks.

    Raises:
        Unreadable: as `read_regular`.
    """
    found = hashlib.sha256()
    with os.fdopen(_open(path), "rb") as file:
        if os.fstat(file.fileno()).st_size > LARGEST_HASHED:
            raise Unreadable(f"is larger than {LARGEST_HASHED} bytes")
        while block := file.read(BLOCK):
            found.update(block)
    return found.hexdigest()


def parsed_json(raw: bytes) -> Any:
    """The JSON content of UTF-8 bytes.

    Raises:
        Unreadable: not UTF-8, not JSON, nested too deeply, or a number that is none (NaN, infinity, 5000 digits).
    """
    try:
        content = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
        json.dumps(content, allow_nan=False)  # 1e999 is read as infinity
    except (ValueError, RecursionError) as error:
        raise Unreadable("is not readable as JSON") from error
    return content


def read_object(path: str | Path, *, remedy: str) -> tuple[dict[str, Any], str]:
    """A JSON object that the run wrote itself, and the SHA-256 of its file.

    Raises:
        InputError: the file is no regular file, or no JSON object; `remedy` says what to do then.
    """
    try:
        raw = read_regular(path, largest=LARGEST_OWN)
        content = parsed_json(raw)
    except Unreadable as error:
        raise InputError(f"{path}: not readable; {remedy} (the file {error})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: not readable; {remedy} (the file is no JSON object)")
    return content, hashlib.sha256(raw).hexdigest()


def alike(one: Any, other: Any) -> bool:
    """Whether two JSON contents are equal but for the last bits of numbers: another machine rounds otherwise."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return type(one) is type(other) and one == other


def shown(text: object, *, most: int = 120) -> str:
    """Text from an untrusted file or file name for one line of output: no control characters, no flood."""
    plain = "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in str(text)[: most + 1]
    )
    return plain if len(plain) <= most else f"{plain[:most]}..."


def _open(path: str | Path) -> int:
    """A descriptor of a regular file; opening neither follows a link nor waits for the other end of a pipe."""
    try:
        number = os.open(path, os.O_RDONLY | NOFOLLOW | NONBLOCK | CLOEXEC | BINARY)
    except (OSError, ValueError) as error:
        if os.path.islink(path):
            raise Unreadable("is a link, not a file") from error
        raise Unreadable(f"cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if not stat.S_ISREG(mode := os.fstat(number).st_mode):
        os.close(number)
        raise Unreadable(f"is {_kind(mode)}, not a file")
    return number


def _sort(entry: os.DirEntry[str], place: str, found: Contents) -> str:
    """Put an entry where it belongs; the name of a folder, which is still to be listed, comes back."""
    name = f"{place}/{entry.name}" if place else entry.name
    status = entry.stat(follow_symlinks=False)
    if stat.S_ISDIR(status.st_mode):
        return name
    if not stat.S_ISREG(status.st_mode):
        found.odd[name] = _kind(status.st_mode)
    elif status.st_size > LARGEST_HASHED:
        found.odd[name] = f"a file of more than {LARGEST_HASHED} bytes"
    elif status.st_nlink > 1:
        found.odd[name] = "a file that is also known by another name (hard link)"
    else:
        found.files.append(name)
    return ""


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    return next((name for test, name in KINDS if test(mode)), "no regular file")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")
