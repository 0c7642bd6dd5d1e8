"""Files that are either whole or absent: written under a temporary name, then renamed."""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary name beside `path`; renamed to it when the block ends well, removed when not."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files that nobody else can read; folders decide about privacy here.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except OSError as error:
        # What is reported is the file that was wanted: a full disk gives no name, or the temporary one.
        if error.filename in (None, name):
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: str | Path, content: bytes | memoryview) -> None:
    """Write `content` to `path` in one step."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | Path, content: str) -> None:
    """Write UTF-8 `content` to `path` in one step."""
    write_bytes(path, content.encode("utf-8"))


def write_tensors(path: str | Path, content: Any) -> None:
    """Write what `torch.load(path, weights_only=True)` gives back, in one step: the same bytes for the same content."""
    import torch

    # By way of memory: torch would write the temporary name into the archive, and hide that a disk is full.
    stream = io.BytesIO()
    torch.save(content, stream)
    write_bytes(path, stream.getbuffer())


def write_json(path: str | Path, content: Any) -> None:
    """Write `content` as sorted, indented JSON: the same bytes for the same content."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | Path, *, remedy: str) -> dict[str, Any]:
    """The object in a JSON file that this project wrote.

    Raises:
        InputError: the file is missing or damaged; it is named, and what to do.
    """
    from scripts.errors import InputError

    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not readable; {remedy}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: not readable; {remedy}")
    return content
