"""Fetch a data set's archives: off unless asked for, checked, and whole or not at all."""

from __future__ import annotations

import re
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlparse

from monai.apps import download_url, extractall
from scripts.errors import InputError

HASHES = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
CHECKSUM = re.compile(r"(md5|sha1|sha256|sha512):([0-9a-f]+)")
ARCHIVES = (".zip", ".tar", ".tar.gz")


def download(archives: Mapping[str, str], *, dataset_dir: str | Path | None) -> Path:
    """Download and unpack `archives` into `dataset_dir`, which must not exist yet or be empty.

    Everything is fetched, checked and unpacked in a folder beside it, which then takes its name: a broken download
    leaves nothing behind.

    Args:
        archives: URL of each .zip, .tar or .tar.gz to its checksum, such as `sha256:...`. The data sets' owners
            publish none, so the operator states what is to be accepted.
        dataset_dir: where the official folders are to lie.

    Raises:
        InputError: no or a malformed checksum, a file that does not match it, an unreachable address, or an
            archive that leads out of the folder.
    """
    if not dataset_dir:
        raise InputError("download: give --dataset_dir DIR, the folder to download into")
    if not archives:
        raise InputError("download: download_archives lists no 'URL: sha256:...'")
    checked = [(url, *_checksum(url, given)) for url, given in archives.items()]
    folder = Path(dataset_dir).expanduser()
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise InputError(f"{folder}: is not empty; turn download off, or name a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as made:
        unpacked = Path(made) / "unpacked"
        unpacked.mkdir()
        for number, (url, kind, value) in enumerate(checked):
            into = Path(made) / str(number)
            _fetch(url, Path(made) / f"{number}{_suffix(url)}", into, kind=kind, value=value)
            for path in _top(into).iterdir():
                if (unpacked / path.name).exists():
                    raise InputError(f"download: {url}: holds '{path.name}', which another archive holds too")
                shutil.move(path, unpacked)
        if folder.is_dir():
            folder.rmdir()
        shutil.move(unpacked, folder)
    return folder


def _checksum(url: str, given: str) -> tuple[str, str]:
    match = CHECKSUM.fullmatch(str(given).lower())
    if match is None or len(match.group(2)) != HASHES[match.group(1)]:
        raise InputError(
            f"download: checksum '{given}' of {url} is not sha256: (or {', '.join(HASHES)}) and hex digits"
        )
    return match.group(1), match.group(2)


def _suffix(url: str) -> str:
    name = urlparse(url).path.lower()
    suffix = next((end for end in reversed(ARCHIVES) if name.endswith(end)), None)
    if suffix is None or urlparse(url).scheme not in ("http", "https"):
        raise InputError(f"download: {url} is not the http(s) address of one of {', '.join(ARCHIVES)}")
    return suffix


def _fetch(url: str, archive: Path, folder: Path, *, kind: str, value: str) -> None:
    folder.mkdir()
    try:
        # not `download_and_extract`: that asks for the package `requests` first
        download_url(url, archive, hash_val=value, hash_type=kind, progress=False)
        extractall(archive, folder, has_base=False)
    except (RuntimeError, ValueError, OSError, zipfile.BadZipFile, tarfile.TarError) as error:
        if isinstance(error, OSError) and not isinstance(error, URLError) and error.errno in (13, 28, 30, 122):
            raise
        reason = str(error).strip().splitlines()
        raise InputError(f"download: {url}: {reason[0] if reason else type(error).__name__}") from error


def _top(unpacked: Path) -> Path:
    """The unpacked folder, or the one folder in it that only wraps the rest (CHASEDB1.zip may or may not)."""
    inside = list(unpacked.iterdir())
    lone = inside[0] if len(inside) == 1 and inside[0].is_dir() else None
    return lone if lone is not None and lone.name.upper().startswith("CHASE") else unpacked
