"""From the files of an inbox to the rows of the register; what was begun is not changed any more."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from scripts.errors import InputError
from scripts.inbox.inbox import Received
from scripts.record.certificate import due_date
from scripts.record.register import COMMITTED, RECEIVED, REFUSED, TRIAL, VERIFIED, Register, Row

WAITING = (RECEIVED, REFUSED)


def take_in(register: Register, received: Mapping[str, Received], *, inbox: str | Path) -> None:
    """Bring the register up to what lies in the inbox.

    Args:
        received: request id -> its file.

    Raises:
        InputError: the file of a request was changed after the request was begun.
    """
    _give_up(register)
    for row in list(register.rows):
        if row.request_id in received or row.state == COMMITTED:
            continue
        print(f"process: {row.request_id}: {row.file} is no longer in the inbox", flush=True)
        if row.state in WAITING:
            register.rows.remove(row)
        else:
            row.reason = f"{row.file} is no longer in the inbox"
    for name, one in received.items():
        known = register.row(name)
        if known is not None and known.state not in WAITING:
            if known.digest != one.digest:
                raise InputError(
                    f"{Path(inbox) / one.file}: was changed after request '{name}' was begun; put back what it was, and"
                    " give what is new as a request of its own"
                )
            continue
        if known is not None:
            register.rows.remove(known)
        register.rows.append(_row(one, tries=known.tries if known is not None else 0))
    register.write()


def _row(one: Received, *, tries: int) -> Row:
    asked = one.request.requested_on if one.request is not None else ""
    row = Row(one.name, one.file, one.digest, asked, due_date(asked) if asked else "", tries=tries)
    if one.request is None:
        row.state, row.reason = REFUSED, one.problem
        print(f"process: {one.name}: refused: {one.problem}", flush=True)
    return row


def _give_up(register: Register) -> None:
    """Begin again what has lost the folder of its run; the verdicts that were made of it still count."""
    for row in register.rows:
        if row.state in (TRIAL, VERIFIED) and not (register.root / row.run).is_dir():
            row.tries += bool(row.outcome)
            row.state, row.outcome, row.reason, row.run, row.model, row.next = RECEIVED, "", "", "", "", ""
