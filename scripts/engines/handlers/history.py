"""Losses and metrics of a phase: a CSV table and a TensorBoard record, free of ids and paths."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events
from scripts import processes
from scripts.errors import InputError
from scripts.files import announce, write_bytes, write_text

COLUMNS = ("phase", "epoch", "iteration", "name", "value")


class History:
    """One row per epoch and value: the mean loss, and `engine.state.metrics` of the trainer and of its validator.

    Args:
        path: the CSV file; rows of other phases in it are kept.
        phase: train, forget or restore.
        tensorboard: folder of the event file; none when empty.
        validator: engine whose metrics belong to the epoch in which it ran.
    """

    def __init__(
        self, *, path: str | Path, phase: str, tensorboard: str | Path = "", validator: Engine | None = None
    ) -> None:
        self.path = Path(path)
        self.phase = phase
        self.validator = validator
        self.tensorboard = str(tensorboard)
        self.rows: list[dict[str, Any]] = []
        self.sums: dict[str, float] = {}
        self.steps = 0

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.add)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.close_epoch)
        engine.add_event_handler(Events.COMPLETED, self.finish)

    def add(self, engine: Engine) -> None:
        """Sum what an iteration put out: a dict of scalar losses, in a list as MONAI's engines have it."""
        (output,) = engine.state.output
        for name, value in output.items():
            if getattr(value, "numel", lambda: 1)() == 1:
                # MONAI's keys are enums: a checkpoint that is to load with weights_only holds plain strings.
                key = str(getattr(name, "value", name))
                self.sums[key] = self.sums.get(key, 0.0) + float(value)
        self.steps += 1

    def close_epoch(self, engine: Engine) -> None:
        """Turn the sums into rows, and show them in `engine.state.metrics`."""
        shown = {name: total / self.steps for name, total in self.sums.items()}
        if self.validator is not None:
            # Taken once: the next epochs may have no validation.
            shown.update(self.validator.state.metrics)
            self.validator.state.metrics = {}
        engine.state.metrics.update(shown)
        for name, value in sorted({**shown, **engine.state.metrics}.items()):
            if name in shown or self.validator is None:
                self.record(engine, name, float(value))
        self.sums, self.steps = {}, 0

    def record(self, engine: Engine, name: str, value: float) -> None:
        """Add one row."""
        epoch, iteration = engine.state.epoch, engine.state.iteration
        row = {"phase": self.phase, "epoch": epoch, "iteration": iteration, "name": name, "value": value}
        self.rows.append(row)

    def finish(self, engine: Engine) -> None:
        """Write the table, and the TensorBoard record."""
        processes.once(self._write)

    def _write(self) -> None:
        kept = [row for row in read_history(self.path) if row["phase"] != self.phase]
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*kept, *self.rows])
        write_text(self.path, text.getvalue())
        if self.tensorboard:
            self._write_tensorboard()

    def _write_tensorboard(self) -> None:
        from torch.utils.tensorboard import SummaryWriter

        folder = Path(self.tensorboard)
        target = folder / f"events.out.tfevents.{self.phase}"
        announce(target)
        folder.mkdir(parents=True, exist_ok=True)
        # The writer puts the machine's name into the file's; a released folder must not carry it. So it writes
        # elsewhere: nothing is left in the run when it is killed, and the table holds no data of a patient.
        with tempfile.TemporaryDirectory(prefix="tensorboard.") as hidden:
            with SummaryWriter(hidden) as board:
                for row in self.rows:
                    board.add_scalar(f"{self.phase}/{row['name']}", row["value"], row["iteration"])
            (written,) = Path(hidden).iterdir()
            write_bytes(target, written.read_bytes())

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rows = list(state["rows"])


def read_history(path: str | Path) -> list[dict[str, Any]]:
    """Rows of a history table; none where there is no table yet."""
    path = Path(path)
    if not path.is_file():
        return []
    remedy = "remove it; the history of the phases before this one is lost"
    try:
        table = csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8"), newline=""), strict=True)
        rows = list(table)
        sound = tuple(table.fieldnames or ()) == COLUMNS and all(
            set(row) == set(COLUMNS) and None not in row.values() for row in rows
        )
        for row in rows if sound else ():
            int(row["epoch"]), int(row["iteration"]), float(row["value"])
    except (ValueError, csv.Error) as error:
        raise InputError(f"{path}: is damaged, not the table that this bundle writes; {remedy}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    if not sound:
        raise InputError(f"{path}: is damaged, not the table that this bundle writes; {remedy}")
    return rows
