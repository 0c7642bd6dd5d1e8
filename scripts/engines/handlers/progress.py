"""A progress bar on terminals, one line a tenth of the way elsewhere."""

from __future__ import annotations

import sys

from ignite.engine import Engine, Events
from scripts import processes
from tqdm import tqdm


class Progress:
    """Show epochs done and the last metrics; never an id or a path."""

    def __init__(self, *, phase: str, show: bool = True) -> None:
        self.phase = phase
        self.show = show
        self.bar: tqdm | None = None

    def attach(self, engine: Engine) -> None:
        if self.show and processes.first():
            engine.add_event_handler(Events.EPOCH_COMPLETED, self.step)
            engine.add_event_handler(Events.COMPLETED, self.close)
            engine.add_event_handler(Events.EXCEPTION_RAISED, self.fail)

    def step(self, engine: Engine) -> None:
        """One epoch further."""
        total = engine.state.max_epochs
        if self.bar is None and sys.stderr.isatty():
            self.bar = tqdm(total=total, initial=engine.state.epoch - 1, desc=self.phase, leave=False)
        numbers = {name: value for name, value in engine.state.metrics.items() if isinstance(value, (int, float))}
        if self.bar is not None:
            self.bar.set_postfix({name: f"{value:.3f}" for name, value in numbers.items()})
            self.bar.update(1)
        elif engine.state.epoch % max(1, total // 10) == 0 or engine.state.epoch == total:
            text = " ".join(f"{name} {value:.3f}" for name, value in numbers.items())
            print(f"{self.phase} {engine.state.epoch}/{total} {text}".rstrip(), flush=True)

    def close(self, engine: Engine) -> None:
        """Remove the bar."""
        if self.bar is not None:
            self.bar.close()

    def fail(self, engine: Engine, error: BaseException) -> None:
        """Remove the bar, let the error pass."""
        self.close(engine)
        raise error
