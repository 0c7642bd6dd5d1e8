"""Files that are either whole or absent, announced to the run that they belong to, and read back with care."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scripts.errors import InputError

LARGEST = 1 << 30  # bytes of a JSON file that is read back; the scores of a pool are a few megabytes

# Folder -> who is told before a file appears below it. A run sets one for its private and its release folder.
_watchers: dict[str, Callable[[Path, str], None]] = {}


def watch(folder: str | Path, tell: Callable[[Path, str], None]) -> None:
    """From now on call `tell(path, kind)` before a file is written below `folder`; the latest call counts.

    `kind` is one of those of `scripts.record.journal.Journal`.
    """
    _watchers[os.path.abspath(folder)] = tell


def announce(path: str | Path, *, kind: str = "written") -> None:
    """Tell the run in whose folder `path` lies that it is about to be written; other paths are nobody's."""
    place = Path(os.path.abspath(path))
    for folder in place.parents:
        if (tell := _watchers.get(str(folder))) is not None:
            tell(place, kind)


@contextmanager
def atomic_path(path: str | Path, *, durable: bool = True) -> Iterator[Path]:
    """A temporary name beside `path`; renamed to it when the block ends well, removed when not.

    Args:
        durable: wait until the disk has the content; what can be computed again need not.
    """
    path = Path(path)
    announce(path)
    temporary = _temporary(path)
    try:
        yield temporary
        # The temporary file is for its owner alone; folders decide about privacy here.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        if durable:
            with temporary.open("r+b") as written:
                os.fsync(written.fileno())
        os.replace(temporary, path)
    except OSError as error:
        # What is reported is the file that was wanted: a full disk gives no name, or the temporary one.
        if error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    """A new, empty file beside `path`; its name is the same in each write of a process, so that it is noted once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number = 0
    while True:
        found = path.with_name(f".{path.name}.{os.getpid()}_{number}{path.suffix}")
        announce(found, kind="temporary")
        try:
            os.close(os.open(found, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            number += 1
            continue
        except OSError as error:
            error.filename = str(path)
            raise
        return found


def write_bytes(path: str | Path, content: bytes | memoryview, *, durable: bool = True) -> None:
    """Write `content` to `path` in one step."""
    with atomic_path(path, durable=durable) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | Path, content: str) -> None:
    """Write UTF-8 `content` to `path` in one step."""
    write_bytes(path, content.encode("utf-8"))


def write_tensors(path: str | Path, content: Any, *, durable: bool = True) -> None:
    """Write what `torch.load(path, weights_only=True)` gives back, in one step: the same bytes for the same content."""
    import torch

    # By way of memory: torch would write the temporary name into the archive, and hide that a disk is full.
    stream = io.BytesIO()
    torch.save(content, stream)
    write_bytes(path, stream.getbuffer(), durable=durable)


def write_json(path: str | Path, content: Any) -> None:
    """Write `content` as sorted, indented JSON: the same bytes for the same content."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def keep_json(path: Path, content: Any) -> bool:
    """Write what can be computed again, for its owner alone; False where the folder cannot be written to."""
    if not os.access(path.parent, os.W_OK):
        return False
    write_json(path, content)
    path.chmod(0o600)
    return True


def read_json(path: str | Path, *, remedy: str) -> dict[str, Any]:
    """The JSON object in a file that this bundle wrote.

    Args:
        remedy: what the operator does about a damaged file, as the end of a sentence.

    Raises:
        InputError: the file is missing or cannot be read, or holds no JSON object; it names the file and the remedy.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise InputError(f"{path}: {'is no regular file' if os.path.lexists(path) else 'no such file'}; {remedy}")
        if (size := path.stat().st_size) > LARGEST:
            raise InputError(f"{path}: {size} bytes are more than this bundle writes; {remedy}")
        content = json.loads(path.read_bytes().decode("utf-8"), parse_constant=_no_number)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is damaged, not the JSON that this bundle writes; {remedy}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: is damaged, holds a {type(content).__name__} in place of an object; {remedy}")
    return content


@contextmanager
def reading(path: str | Path, *, remedy: str) -> Iterator[None]:
    """Around the use of what a file holds: content of another form than this bundle writes becomes an InputError."""
    try:
        yield
    except InputError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: is damaged, not what this bundle writes; {remedy}") from error


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
