"""What was done, in order: an append-only chain of hashes with a signed head, and an anchor kept elsewhere.

The chain finds changed entries, the signature a recomputation with another key; that entries were cut off, or an
older copy put back, only the anchor can tell: a file that the hospital keeps where the run's owner cannot write over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.errors import InputError, Refused
from scripts.files import write_json, write_text
from scripts.record.contents import Unreadable, parsed_json, read_regular
from scripts.record.keys import HospitalKeys, canonical, key_id, signed_by

FIRST = "0" * 64  # what the first entry follows
CLOSED = "closed"
# Name -> type of what stands in an entry, in the signed head, and in a line of the anchor.
ENTRY = {"index": int, "time": str, "kind": str, "body": dict, "previous": str, "hash": str}
SIGNED = ("entries", "hash", "key_id")
HEAD = {"entries": int, "hash": str, "key_id": str, "public_key": str, "signature": str}
ANCHORED = {"entries": int, "hash": str, "key_id": str, "signature": str, "ledger": str, "time": str}


class Ledger:
    """`ledger.jsonl` and beside it `ledger_head.json`.

    Args:
        path: of the ledger.
        keys: by which the head is signed; None, before a commit, signs nothing.
        anchor: file that the head is also appended to; None keeps no anchor.
    """

    def __init__(self, path: str | Path, *, keys: HospitalKeys | None = None, anchor: str | Path | None = None) -> None:
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
        if self.keys is not None:
            self._sign(self.keys, entry, len(lines))
        return entry

    def close(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The last entry."""
        return self.append(CLOSED, body)

    def _sign(self, keys: HospitalKeys, entry: Mapping[str, Any], count: int) -> None:
        signed = {"entries": count, "hash": entry["hash"], "key_id": keys.key_id}
        signature = keys.sign(canonical(signed))
        write_json(self.head, {**signed, "public_key": keys.public_pem, "signature": signature})
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
    return hashlib.sha256(canonical({name: entry[name] for name in ENTRY if name != "hash"})).hexdigest()


def read_entries(path: Path) -> list[dict[str, Any]]:
    """The entries as they stand, each of the form and the types in which it is written.

    Raises:
        InputError: the file is not a regular one, or a line is not in the one form that entries are written in.
    """
    try:
        lines = read_regular(path).split(b"\n")
    except Unreadable as error:
        raise InputError(f"{path}: {error}") from error
    if lines[-1]:
        raise InputError(f"{path}: line {len(lines)} is not whole")
    entries = [_object(line) for line in lines[:-1]]
    for number, entry in enumerate(entries, 1):
        if entry.keys() != ENTRY.keys() or not all(type(entry[name]) is kind for name, kind in ENTRY.items()):
            raise InputError(f"{path}: line {number} is not an entry of a ledger")
    return entries


def _object(line: bytes) -> dict[str, Any]:
    """The JSON object of a line; empty where the line is none, or is written in another form than the one we write.

    Another way to write the same content would be a change that no hash sees.
    """
    try:
        content = parsed_json(line)
        return content if isinstance(content, dict) and canonical(content) == line else {}
    except (Unreadable, ValueError, TypeError, RecursionError):
        return {}


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


def head_errors(entries: list[dict[str, Any]], head: Any, *, public_pem: str | None = None) -> list[str]:
    """What does not hold of the signed head; with `public_pem` also by whom it is signed."""
    if not isinstance(head, Mapping) or any(type(head.get(name)) is not kind for name, kind in HEAD.items()):
        return ["ledger_head.json is not a readable head: an entry is missing or of a wrong type"]
    if set(head) != set(HEAD):
        return ["the head holds what does not belong there (ledger_head.json)"]
    signed = {name: head[name] for name in SIGNED}
    found = []
    if key_id(head["public_key"]) != signed["key_id"] or not signed_by(
        head["public_key"], canonical(signed), head["signature"]
    ):
        found.append("the head's signature does not hold (ledger_head.json)")
    if public_pem is not None and key_id(public_pem) != signed["key_id"]:
        found.append("the head is signed with another key (ledger_head.json)")
    if not entries or signed["entries"] != len(entries) or signed["hash"] != entries[-1]["hash"]:
        found.append("the head is of another state of the ledger (ledger_head.json)")
    return found


def anchor_errors(entries: list[dict[str, Any]], anchor: bytes, *, public_pem: str) -> list[str]:
    """Whether the ledger is the newest that the anchor knows.

    Args:
        anchor: content of the hospital's file.
        public_pem: the key that signed it.
    """
    if not entries:
        return ["the anchor cannot be compared with an empty ledger"]
    name = hashlib.sha256(canonical(entries[0])).hexdigest()
    states = []
    for number, line in enumerate(anchor.splitlines(), 1):
        known = _object(line)
        if any(type(known.get(key)) is not kind for key, kind in ANCHORED.items()):
            return [f"line {number} of the anchor is not readable"]
        if known["ledger"] != name:
            continue
        signed = {key: known[key] for key in SIGNED}
        if not signed_by(public_pem, canonical(signed), known["signature"]):
            return [f"line {number} of the anchor is not signed by the key"]
        states.append(signed)
    if not states:
        return ["the anchor does not know this ledger"]
    newest = max(states, key=lambda state: state["entries"])
    if newest["entries"] != len(entries) or newest["hash"] != entries[-1]["hash"]:
        return [f"the anchor knows {newest['entries']} entries with another end: the ledger was cut or put back"]
    return []
