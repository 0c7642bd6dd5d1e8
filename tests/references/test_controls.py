"""Requests that a pool writes for itself: they name patients."""

from __future__ import annotations

from pathlib import Path

from scripts.references.controls import write_request
from scripts.request import read_request


def test_nobody_else_reads_who_was_drawn(tmp_path: Path) -> None:
    path = tmp_path / "pool" / "mock" / "request.csv"
    for patients in (["01", "02"], ["03"]):
        write_request(path, name="mock", patients=patients)
        assert list(read_request(path).ids) == patients
        assert path.stat().st_mode & 0o777 == 0o600
        assert all(folder.stat().st_mode & 0o777 == 0o700 for folder in (path.parent, path.parent.parent))
