"""`large_files.yml`: what the Model Zoo fetches from elsewhere, since a pull request holds small files alone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import yaml
from scripts.files import write_text

LIMIT = 1024 * 1024  # bytes of a file in a pull request to the Zoo
NAME = "large_files.yml"


def large_files(bundle: Path) -> list[Path]:
    """The files above the limit, sorted."""
    return sorted(path for path in bundle.rglob("*") if path.is_file() and path.stat().st_size > LIMIT)


def write_large_files(bundle: Path, *, url: str) -> None:
    """List each large file with its address below `url` and its SHA-256; nothing without `url` or large files.

    The Zoo fetches every entry before it checks anything, so an address that does not answer fails the whole.
    """
    found = large_files(bundle)
    if not url or not found:
        return
    entries = [
        {
            "path": path.relative_to(bundle).as_posix(),
            "url": f"{url.rstrip('/')}/{path.relative_to(bundle).as_posix()}",
            "hash_val": hashlib.sha256(path.read_bytes()).hexdigest(),
            "hash_type": "sha256",
        }
        for path in found
    ]
    write_text(bundle / NAME, yaml.safe_dump({"large_files": entries}, sort_keys=False))
