"""Where a hospital's own files must not lie: inside a run, half of which is given away."""

from __future__ import annotations

import os
from pathlib import Path

from scripts.errors import InputError


def run_around(path: str | Path) -> Path | None:
    """The run folder, or the released folder, that `path` lies in, as it is written or by way of links; or None.

    A run folder is one that holds `private/` and `release/`; a released folder is told by its ledger or certificate.
    """
    for start in (Path(os.path.abspath(path)), Path(os.path.realpath(path))):
        for folder in (start, *start.parents):
            if (folder / "private").is_dir() and (folder / "release").is_dir():
                return folder
            if any(os.path.lexists(folder / name) for name in ("certificate.json", "ledger_head.json")):
                return folder
    return None


def refuse_inside_run(path: str | Path, *, setting: str) -> None:
    """Refuse a path inside a run: `private/` is destroyed by a commit, `release/` is given away.

    Raises:
        InputError: names the setting, the path and the run.
    """
    if (run := run_around(path)) is not None:
        raise InputError(f"{setting}: {path} lies inside the run {run}; give a place outside of all runs")
