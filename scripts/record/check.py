"""An auditor's check of a `release/` folder, offline: `python -m scripts.record check DIR`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.errors import InputError
from scripts.record.certificate import certificate_errors
from scripts.record.keys import canonical
from scripts.record.ledger import CLOSED, anchor_errors, chain_errors, head_errors, read_entries
from scripts.record.signature import SIGNATURE, available, signature_errors


def check_release(
    folder: str | Path, *, public_key: str = "", anchor: str = "", model_key: str = ""
) -> Iterator[tuple[str, list[str]]]:
    """Each check and what does not hold in it.

    Args:
        public_key: the hospital's, got from elsewhere; without it a recomputation with another key is not found.
        model_key: the hospital's public key for models; without it `model.sig` is a file like any other.
        anchor: the hospital's; without it a ledger that was cut, or put back, is not found.

    Raises:
        InputError: a file that is needed is missing.
    """
    release = Path(folder)
    pem = _file(Path(public_key)).read_text(encoding="utf-8") if public_key else None
    ledger, head, certificate = (
        _file(release / name) for name in ("ledger.jsonl", "ledger_head.json", "certificate.json")
    )
    try:
        entries = read_entries(ledger)
    except InputError as error:
        yield "ledger", [str(error)]
        return
    yield "ledger", chain_errors(entries)
    signed, problems = _canonical_json(head)
    yield "signed head", problems + head_errors(entries, signed, public_pem=pem)
    content, problems = _canonical_json(certificate)
    yield "certificate and files", problems + certificate_errors(content, release, public_pem=pem)
    yield "certificate in the ledger", _closing_errors(entries, content)
    if anchor:
        yield "anchor", anchor_errors(ledger, entries, _file(Path(anchor)), public_pem=pem or signed["public_key"])
    if model_key:
        if not available():
            raise InputError("--model-key: the package model-signing is not installed")
        yield SIGNATURE, signature_errors(release, public_key=_file(Path(model_key)))


def _closing_errors(entries: list[dict[str, Any]], certificate: dict[str, Any]) -> list[str]:
    if not entries or entries[-1]["kind"] != CLOSED:
        return ["the ledger is not closed"]
    if entries[-1]["body"].get("signature") != certificate.get("signature"):
        return ["the ledger was closed with another certificate"]
    return []


def _canonical_json(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The content; it must be in the one form in which it is written: no byte may go unseen."""
    try:
        raw = path.read_bytes()
        content = json.loads(raw)
        written = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
        canonical(content)
        sound = isinstance(content, dict) and written.encode("utf-8") == raw
    except (ValueError, TypeError):
        return {}, [f"{path.name} is not readable"]
    return (content, []) if sound else ({}, [f"{path.name} is not in the form in which it was written"])


def _file(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    return path
