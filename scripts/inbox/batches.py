"""Which requests one student answers: each its own, or all that wait, joined by level."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.inbox.inbox import Received
from scripts.record.register import COMMITTED, RECEIVED, REFUSED, Register, Row
from scripts.references.controls import write_request


@dataclass(frozen=True)
class Answer:
    """One student.

    Attributes:
        rows: of the requests that it answers, in one state.
        asked: as the setting `request` takes it.
        run: folder of the run, below that of the register.
        parts: the request files of a batch; empty for one request.
    """

    rows: tuple[Row, ...]
    asked: str
    run: str
    parts: tuple[str, ...] = ()


def answers(register: Register, received: Mapping[str, Received], *, batch: bool, private: Path) -> Iterator[Answer]:
    """What is pending, the oldest due date first; what was begun keeps its company.

    Args:
        received: request id -> its file.
        batch: whether requests that were not begun are answered together.
        private: folder for the joined requests.
    """
    begun: dict[str, list[Row]] = {}
    waiting: list[Row] = []
    for row in register.by_due_date():
        if row.state == COMMITTED or row.request_id not in received or received[row.request_id].request is None:
            continue
        if row.state == RECEIVED:
            waiting.append(row)
        elif row.state != REFUSED:
            begun.setdefault(row.run, []).append(row)
    for run, rows in begun.items():
        yield _answer(rows, received, run=run, private=private)
    if not batch:
        for row in waiting:
            yield _answer([row], received, run="", private=private)
        return
    levels: dict[str, list[Row]] = {}
    for row in waiting:
        request = received[row.request_id].request
        assert request is not None
        levels.setdefault(request.level, []).append(row)
    for rows in levels.values():
        yield _answer(rows, received, run="", private=private)


def _answer(rows: Sequence[Row], received: Mapping[str, Received], *, run: str, private: Path) -> Answer:
    """Of one request its own file, of several a file that joins them."""
    if len(rows) == 1:
        (row,) = rows
        return Answer((row,), received[row.request_id].asked, run or f"requests/{row.request_id}")
    joined = sorted({unit for row in rows for unit in _ids(received[row.request_id])})
    name = f"batch-{hashlib.sha256(' '.join(sorted(row.digest for row in rows)).encode()).hexdigest()[:12]}"
    first = received[rows[0].request_id].request
    assert first is not None
    path = private / f"{name}.csv"
    about = {"requested_on": min(row.requested_on for row in rows), "ground": first.ground}
    write_request(path, name=name, patients=joined, level=first.level, **about)
    parts = tuple(received[row.request_id].asked for row in rows)
    return Answer(tuple(rows), str(path), run or f"requests/{name}", parts)


def _ids(one: Received) -> tuple[str, ...]:
    assert one.request is not None
    return one.request.ids
