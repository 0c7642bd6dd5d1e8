"""The log of the present run, one at a time: what ignite and MONAI say goes into its private folder."""

from __future__ import annotations

import logging
from pathlib import Path


def log_to(path: Path) -> None:
    """Log into a file from now on, and into no other run's."""
    root = logging.getLogger()
    target = str(path.resolve())
    for handler in list(root.handlers):
        if isinstance(handler, _RunLog):
            if handler.baseFilename == target:
                return
            root.removeHandler(handler)
            handler.close()
    handler = _RunLog(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    root.addHandler(handler)


def close_log(path: Path) -> None:
    """Log into that file no longer."""
    target = str(path.resolve())
    for handler in list(logging.getLogger().handlers):
        if isinstance(handler, _RunLog) and handler.baseFilename == target:
            logging.getLogger().removeHandler(handler)
            handler.close()


class _RunLog(logging.FileHandler):
    """The log of the present run: one at a time."""
