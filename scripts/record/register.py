"""The register of requests: what became of each, and which model is the present one. `private/requests.json`.

It names requests by their ids and files, and stays with the hospital.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path

from scripts.errors import InputError
from scripts.files import read_json, write_json

VERSION = "1"
FILE_NAME = "requests.json"
RECEIVED, TRIAL, VERIFIED, COMMITTED, REFUSED = "received", "trial", "verified", "committed", "refused"
STATES = (RECEIVED, TRIAL, VERIFIED, COMMITTED, REFUSED)
REMEDY = "put it back from a backup; the runs beside it are whole"


@dataclass
class Row:
    """One request.

    Attributes:
        request_id: names it.
        file: its name in the inbox.
        digest: SHA-256 of the file.
        requested_on, due_on: ISO dates; empty where the file could not be read.
        state: one of `STATES`.
        outcome: of the verdict; empty where there is none.
        reason: why it is not further, in words.
        run: folder of its run, beside the register; one run may answer several requests.
        model: folder of the model that the run was begun with.
        next: folder of the model that its commit makes.
        tries: verdicts of runs that were given up: those that follow share their level of error with them.
    """

    request_id: str
    file: str
    digest: str
    requested_on: str = ""
    due_on: str = ""
    state: str = RECEIVED
    outcome: str = ""
    reason: str = ""
    run: str = ""
    model: str = ""
    next: str = ""
    tries: int = 0

    def told(self, today: date) -> str:
        """State and what goes with it, for a table."""
        open_ = self.state not in (COMMITTED, REFUSED)
        late = f"overdue since {self.due_on}" if open_ and self.due_on and self.due_on < today.isoformat() else ""
        return "; ".join(part for part in (self.outcome, late, self.reason) if part)


NAMES = tuple(field.name for field in fields(Row))


@dataclass
class Register:
    """All requests of a hospital's model.

    Attributes:
        root: its folder.
        model: folder of the present model.
        renewed: folder of the model up to which the pool was renewed last.
    """

    root: Path
    rows: list[Row]
    model: str = ""
    renewed: str = ""

    @classmethod
    def read(cls, root: str | Path) -> Register:
        """Empty where nothing was received yet.

        Raises:
            InputError: the file is damaged, or of another version.
        """
        path = Path(root) / "private" / FILE_NAME
        if not path.exists():
            return cls(Path(root), [])
        found = read_json(path, remedy=REMEDY)
        if found.get("version") != VERSION:
            raise InputError(f"{path}: version '{found.get('version')}' is unknown; this version reads {VERSION}")
        rows, model, renewed = (found.get(name) for name in ("requests", "model", "renewed"))
        named = isinstance(model, str) and isinstance(renewed, str)
        if not named or not isinstance(rows, list) or not all(_is_row(row) for row in rows):
            raise InputError(f"{path}: is damaged, not what this bundle writes; {REMEDY}")
        return cls(Path(root), [Row(**row) for row in rows], str(model), str(renewed))

    def write(self) -> None:
        """To its file, whole or not at all."""
        content = {"version": VERSION, "model": self.model, "renewed": self.renewed}
        write_json(self.path, {**content, "requests": [asdict(row) for row in self.rows]})

    @property
    def path(self) -> Path:
        """Its file."""
        return self.root / "private" / FILE_NAME

    def row(self, request_id: str) -> Row | None:
        """The row of a request; None where it was not received."""
        return next((row for row in self.rows if row.request_id == request_id), None)

    def by_due_date(self) -> list[Row]:
        """Rows, the oldest due date first; those without a date last."""
        return sorted(self.rows, key=lambda row: (row.due_on or "9999", row.request_id))

    def table(self, today: date) -> list[str]:
        """A line a request, under a heading."""
        rows = [("request", "asked on", "due on", "state", "")]
        rows += [
            (row.request_id, row.requested_on or "-", row.due_on or "-", row.state, row.told(today))
            for row in self.by_due_date()
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)) for row in rows]
        found = [f"{line}  {row[4]}".rstrip() for line, row in zip(lines, rows, strict=True)]
        if self.model:
            state = "up to it" if self.renewed == self.model else "behind it; run renew, or process again"
            found += ["", f"present model: {self.model}", f"pool: {state}"]
        return found


def exit_code_of(rows: Iterable[Row]) -> int:
    """0 where everything is committed; 6 a refusal, 3 a FAIL, 5 no measurable influence, 4 what is not decided."""
    states = [(row.state, row.outcome) for row in rows]
    if any(state == REFUSED for state, _ in states):
        return 6
    left = [outcome for state, outcome in states if state != COMMITTED]
    if any(outcome.startswith("FAIL") for outcome in left):
        return 3
    if any(outcome != "NO-MEASURABLE-INFLUENCE" for outcome in left):
        return 4
    return 5 if left else 0


def _is_row(content: object) -> bool:
    if not isinstance(content, dict) or set(content) != set(NAMES) or type(content["tries"]) is not int:
        return False
    texts = all(isinstance(value, str) for name, value in content.items() if name != "tries")
    return texts and content["state"] in STATES
