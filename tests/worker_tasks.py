"""A task that another process can import: it may be ended from outside before it is done."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from scripts.errors import InputError


@dataclass(frozen=True)
class Note:
    """Writes the id of its process to a file.

    Attributes:
        deaths: how often its process is killed before.
        refusal: what it says instead of doing anything.
    """

    path: Path
    deaths: int = 0
    refusal: str = ""

    def run(self) -> None:
        """Write it, once."""
        if self.refusal:
            raise InputError(self.refusal)
        begun = self.path.with_suffix(".begun")
        with begun.open("a") as file:
            file.write("x")
        if begun.stat().st_size <= self.deaths:
            os.kill(os.getpid(), signal.SIGKILL)
        if not self.path.exists():
            self.path.write_text(str(os.getpid()))
