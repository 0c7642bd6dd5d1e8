"""A task that another process can import: it may be ended from outside before it is done."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from scripts.errors import InputError


@dataclass(frozen=True)
class Note:
    """Writes the id of its process to a file.

    Attributes:
        deaths: how often its process is killed before.
        refusal: what it says instead of writing.
        after: another note that must have begun before; this one then takes half a second.
    """

    path: Path
    deaths: int = 0
    refusal: str = ""
    after: Path | None = None

    def run(self) -> None:
        """Write it, once."""
        begun = self.path.with_suffix(".begun")
        with begun.open("a") as file:
            file.write("x")
        if self.refusal:
            raise InputError(self.refusal)
        if self.after is not None:
            while not self.after.with_suffix(".begun").exists():
                time.sleep(0.01)
            time.sleep(0.5)
        if begun.stat().st_size <= self.deaths:
            os.kill(os.getpid(), signal.SIGKILL)
        if not self.path.exists():
            self.path.write_text(str(os.getpid()))
