"""What a phase cost: wall and CPU seconds, peak memory."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events
from scripts import processes
from scripts.cohort.loaders import CohortLoaders
from scripts.files import read_json, write_json
from scripts.frozen.cache import FrozenCache
from scripts.system import peak_memory


def cpu_seconds() -> float:
    """User and system time of this process and of those it waited for."""
    children = os.times()  # Windows counts none
    return time.process_time() + children.children_user + children.children_system


class Timing:
    """Add a phase's cost to `timing.json`; time of an interrupted attempt is not counted, and said.

    Of several processes the CPU time is the sum, the rest that of the first.

    Args:
        path: the table, one entry per phase.
        frozen: what was computed once; its counts join the entry.
        loaders: what was drawn from; its counts join the entry.
    """

    def __init__(
        self,
        *,
        path: str | Path,
        phase: str,
        frozen: FrozenCache | None = None,
        loaders: CohortLoaders | None = None,
    ) -> None:
        self.path = Path(path)
        self.phase = phase
        self.frozen = frozen
        self.loaders = loaders
        self.resumed = False

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.COMPLETED, self.finish)

    def start(self, engine: Engine | None = None) -> None:
        """Begin to count."""
        self.resumed = engine is not None and engine.state.epoch > 0
        self.wall, self.cpu = time.perf_counter(), cpu_seconds()

    def finish(self, engine: Engine | None = None) -> None:
        """Write the entry."""
        entry: dict[str, Any] = {
            "wall_seconds": round(time.perf_counter() - self.wall, 3),
            "cpu_seconds": round(sum(processes.gathered(cpu_seconds() - self.cpu)), 3),
            "peak_memory_bytes": peak_memory(),
        }
        if engine is not None:
            entry["steps"] = engine.state.iteration
            entry["rounds"] = engine.state.epoch
            entry["resumed"] = self.resumed
        if self.frozen is not None:
            entry["frozen"] = self.frozen.report()
        if self.loaders is not None:
            entry["drawn_from"] = self.loaders.report()
        if processes.size() > 1:
            entry["processes"] = processes.size()
        processes.once(lambda: self._write(entry))

    def _write(self, entry: dict[str, Any]) -> None:
        remedy = "remove it; the costs of the phases before this one are lost"
        table = read_json(self.path, remedy=remedy) if self.path.exists() else {}
        write_json(self.path, {**table, self.phase: entry})
