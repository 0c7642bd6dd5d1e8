"""What was done, in order: an append-only chain of hashes with a signed head, and an anchor kept elsewhere.

The chain finds changed entries, the signature a recomputation with another key; that entries were cut off, or an
older copy put back, only the anchor can tell: a file that the hospital keeps where the run's owner cannot write over.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.errors import InputError, Refused
from scripts.files import write_json, write_text
from scripts.record.keys import HospitalKeys, canonical, key_id, signed_by

FIRST = "0" * 64  # what the first entry follows
CLOSED = "closed"
ENTRY = ("index", "time", "kind", "body", "previous")


class Ledger:
    """`ledger.jsonl` and beside it `ledger_head.json`.

    Args:
        path: of the ledger.
        keys: by which the head is signed.
        anchor: file that the head is also appended to; None keeps no anchor.
    """

    def __init__(self, path: str | Path, *, keys: HospitalKeys, anchor: str | Path | None = None) -> None:
        self.path, self.keys = Path(path), keys
        self.anchor = Path(anchor) if anchor else None

    @property
    def head(self) -> Path:
        """The signed head."""
        return self.path.with_name("ledger_head.json")

    def append(self, kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Add an entry, sign the new head, note it in the anchor.

        Raises:
            Refused: the ledger is closed, or what is there does not hold.
        """
        entries = read_entries(self.path) if self.path.exists() else []
        if broken := chain_errors(entries):
            raise Refused(f"{self.path}: {broken[0]}; nothing is added to a broken ledger")
        if entries and entries[-1]["kind"] == CLOSED:
            raise Refused(f"{self.path}: is closed; nothing is added any more")
        entry: dict[str, Any] = {
            "index": len(entries),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "kind": kind,
            "body": dict(body),
            "previous": entries[-1]["hash"] if entries else FIRST,
        }
        entry["hash"] = entry_hash(entry)
        lines = [canonical(known).decode() for known in [*entries, entry]]
        write_text(self.path, "".join(f"{line}\n" for line in lines))
        self._sign(entry, len(lines))
        return entry

    def close(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The last entry."""
        return self.append(CLOSED, body)

    def _sign(self, entry: Mapping[str, Any], count: int) -> None:
        signed = {"entries": count, "hash": entry["hash"], "key_id": self.keys.key_id}
        signature = self.keys.sign(canonical(signed))
        write_json(self.head, {**signed, "public_key": self.keys.public_pem, "signature": signature})
        if self.anchor is not None:
            self.anchor.parent.mkdir(parents=True, exist_ok=True)
            about = {"ledger": ledger_name(self.path), "time": entry["time"]}
            line = canonical({**signed, **about, "signature": signature})
            with self.anchor.open("ab") as file:
                file.write(line + b"\n")


def ledger_name(path: Path) -> str:
    """By which an anchor tells ledgers apart: the hash of their first line, which never changes."""
    return hashlib.sha256(path.read_bytes().split(b"\n", 1)[0]).hexdigest()


def entry_hash(entry: Mapping[str, Any]) -> str:
    """SHA-256 of all of an entry but its hash."""
    return hashlib.sha256(canonical({name: entry[name] for name in ENTRY})).hexdigest()


def read_entries(path: Path) -> list[dict[str, Any]]:
    """The entries as they stand.

    Raises:
        InputError: a line is not in the one form that entries are written in.
    """
    entries = []
    lines = path.read_bytes().split(b"\n")
    if lines[-1]:
        raise InputError(f"{path}: line {len(lines)} is not whole")
    for number, line in enumerate(lines[:-1], 1):
        try:
            entry = json.loads(line)
            # Another way to write the same would be a change that no hash sees.
            sound = canonical(entry) == line and set(entry) == {*ENTRY, "hash"}
        except (ValueError, TypeError):
            sound = False
        if not sound:
            raise InputError(f"{path}: line {number} is not an entry of a ledger")
        entries.append(entry)
    return entries


def chain_errors(entries: list[dict[str, Any]]) -> list[str]:
    """What does not hold in the chain itself."""
    found, previous = [], FIRST
    for number, entry in enumerate(entries):
        if entry["index"] != number or entry["previous"] != previous:
            found.append(f"entry {number} does not follow the one before it")
        if entry_hash(entry) != entry["hash"]:
            found.append(f"entry {number} was changed")
        previous = entry["hash"]
    closings = [number for number, entry in enumerate(entries[:-1]) if entry["kind"] == CLOSED]
    return found + [f"entry {number} closes the ledger, but more follow" for number in closings]


def head_errors(entries: list[dict[str, Any]], head: Mapping[str, Any], *, public_pem: str | None = None) -> list[str]:
    """What does not hold of the signed head; with `public_pem` also by whom it is signed."""
    try:
        signed = {name: head[name] for name in ("entries", "hash", "key_id")}
        own, signature = str(head["public_key"]), str(head["signature"])
    except (KeyError, TypeError):
        return ["the head is not readable"]
    if set(head) != {*signed, "public_key", "signature"}:
        return ["the head holds what does not belong there"]
    found = []
    if key_id(own) != signed["key_id"] or not signed_by(own, canonical(signed), signature):
        found.append("the head's signature does not hold")
    if public_pem is not None and key_id(public_pem) != signed["key_id"]:
        found.append("the head is signed with another key")
    if not entries or signed["entries"] != len(entries) or signed["hash"] != entries[-1]["hash"]:
        found.append("the head is of another state of the ledger")
    return found


def anchor_errors(path: Path, entries: list[dict[str, Any]], anchor: Path, *, public_pem: str) -> list[str]:
    """Whether the ledger is the newest that the anchor knows."""
    states = []
    for number, line in enumerate(anchor.read_bytes().splitlines(), 1):
        try:
            known = json.loads(line)
            if known["ledger"] != ledger_name(path):
                continue
            signed = {name: known[name] for name in ("entries", "hash", "key_id")}
            signature = known["signature"]
        except (ValueError, KeyError, TypeError):
            return [f"line {number} of the anchor is not readable"]
        if not signed_by(public_pem, canonical(signed), signature):
            return [f"line {number} of the anchor is not signed by the key"]
        states.append(signed)
    if not states:
        return ["the anchor does not know this ledger"]
    newest = max(states, key=lambda state: state["entries"])
    if not entries or newest["entries"] != len(entries) or newest["hash"] != entries[-1]["hash"]:
        return [f"the anchor knows {newest['entries']} entries with another end: the ledger was cut or put back"]
    return []
