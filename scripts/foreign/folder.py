"""The folder of somebody else's bundle: its config files, and the digest by which its content is pinned."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from scripts.errors import InputError
from scripts.identity import file_digest
from scripts.settings.config_file import read_config

PREFIX = "sha256:"
SUFFIXES = (".json", ".yaml", ".yml")
WEIGHTS = (".pt", ".pth", ".ts", ".onnx", ".safetensors", ".engine", ".trt")  # in models/; none of them is ever run


class ForeignFolder:
    """A bundle as MONAI lays it out: `configs/train`, `configs/inference`, `configs/metadata.json`, `models/model.pt`.

    Raises:
        InputError: no folder, an archive, a file that is missing, a link that leads out of the folder.
    """

    def __init__(self, path: str | Path) -> None:
        given = Path(path).expanduser()
        if given.is_file():
            raise InputError(_of_archive(given))
        if not given.is_dir():
            raise InputError(f"{given}: no such folder; --foreign must name the folder of a MONAI bundle")
        self.root = given.resolve()
        self._refuse_links()
        self.train, self.inference = self.config("train"), self.config("inference")
        self.metadata = self.root / "configs" / "metadata.json"
        if not self.metadata.is_file():
            raise InputError(f"{self.metadata}: is missing; every MONAI bundle has it")

    def config(self, name: str) -> Path:
        """The config file called `name`; where there are several forms, JSON as MONAI Label takes it."""
        for suffix in SUFFIXES:
            if (found := self.root / "configs" / f"{name}{suffix}").is_file():
                return found
        raise InputError(f"{self.root / 'configs'}: holds no {name}.json or {name}.yaml, which a bundle needs")

    @property
    def checkpoint(self) -> Path:
        """The weights that the bundle delivers."""
        return self.root / "models" / "model.pt"

    def files(self) -> list[Path]:
        """All files, sorted by path."""
        return sorted(path for path in self.root.rglob("*") if path.is_file())

    @cached_property
    def digest(self) -> str:
        """`sha256:` and the digest of names and contents of all files but the weights in models/."""
        found = hashlib.sha256()
        for path in self.files():
            if not is_weights(path.relative_to(self.root)):
                name = path.relative_to(self.root).as_posix()
                found.update(f"{name}\0{file_digest(path)}\n".encode("utf-8", "surrogateescape"))
        return PREFIX + found.hexdigest()

    def _refuse_links(self) -> None:
        for path in self.root.rglob("*"):
            if path.is_symlink() and not path.resolve().is_relative_to(self.root):
                raise InputError(f"{path}: is a link that leads out of the bundle; links must stay inside it")


def is_weights(path: Path) -> bool:
    """Whether a path, relative to the bundle, is that of weights in models/."""
    return path.parts[:1] == ("models",) and path.suffix.lower() in WEIGHTS


def read_plain(path: Path) -> dict[str, Any]:
    """The content of a config file; nothing in it is evaluated.

    Raises:
        InputError: it cannot be read, or holds no keys.
    """
    if path.suffix != ".json":
        return read_config(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a readable JSON file ({error})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds no keys")
    return content


def _of_archive(path: Path) -> str:
    """Why a file is not taken, and what would happen if it were unpacked."""
    if not zipfile.is_zipfile(path):
        return f"{path}: is a file; --foreign must name the folder of a MONAI bundle"
    try:
        outside = next(_outside(path), None)
    except (zipfile.BadZipFile, OSError) as error:
        return f"{path}: not a readable archive ({error})"
    if outside is not None:
        return f"{path}: entry '{outside}' would be written outside of the folder that it is unpacked into; refused"
    return f"{path}: is an archive; unpack it and give the folder"


def _outside(path: Path) -> Iterator[str]:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            name = PurePosixPath(entry.filename.replace("\\", "/"))
            link = (entry.external_attr >> 16) & 0o170000 == 0o120000
            if link or name.is_absolute() or ".." in name.parts or ":" in (name.parts or ("",))[0]:
                yield entry.filename
