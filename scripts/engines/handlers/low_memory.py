"""Gives freed memory back to the system after every step."""

from __future__ import annotations

from ignite.engine import Engine, Events
from scripts.frozen.heap import give_back


class LowMemory:
    """A lower peak for more time: docs/RESULTS.md, "Memory". No result changes.

    Args:
        enabled: else nothing is attached.
    """

    def __init__(self, *, enabled: bool) -> None:
        self.enabled = bool(enabled)

    def attach(self, engine: Engine) -> None:
        if self.enabled:
            engine.add_event_handler(Events.ITERATION_COMPLETED, self.step)

    def step(self, engine: Engine) -> None:
        """After a step."""
        give_back()
