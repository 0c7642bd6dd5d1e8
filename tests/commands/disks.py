"""A full and a read-only disk where none can be mounted: the system calls refuse as it would."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

MEGABYTE = 1 << 20


def stand_in(folder: Path, patch: pytest.MonkeyPatch, *, size: int | None) -> None:
    """Let `folder` take `size` bytes in all; None makes it read-only."""
    if size is None:
        for name in ("mkdir", "open"):
            patch.setattr(os, name, _read_only(getattr(os, name), folder))
        return
    write = Path.write_bytes

    def limited(path: Path, data: Any) -> int:
        if folder in path.parents:
            used = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            if used + len(data) > size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, data)

    patch.setattr(Path, "write_bytes", limited)


def _read_only(call: Any, folder: Path) -> Any:
    def refuse(path: Any, *args: Any, **named: Any) -> Any:
        if isinstance(path, (str, Path)) and folder in Path(path).parents:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return call(path, *args, **named)

    return refuse
