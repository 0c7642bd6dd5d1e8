"""An auditor's check of a `release/` folder, offline: `python -m scripts.record check DIR`."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.errors import InputError
from scripts.record.certificate import APART, FOLDER, certificate_errors, part_errors, release_problems
from scripts.record.contents import Unreadable, parsed_json, read_regular, shown
from scripts.record.keys import is_model_key, is_public_key
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

    Nothing is trusted: neither that an entry is a file, nor that a file holds what its name says. Whatever is of
    another kind does not hold, and the line names it.

    Raises:
        InputError: the folder is no release, or a file that the auditor names cannot be read.
    """
    release = Path(folder)
    _require_release(release)
    pem, wrong_key = _public_key(public_key)
    if wrong_key:
        yield "public key", wrong_key
    try:
        entries, problems = read_entries(release / "ledger.jsonl"), []
    except InputError as error:
        entries, problems = [], [shown(error, most=300)]
    yield "ledger", problems or [f"{problem} (ledger.jsonl)" for problem in chain_errors(entries)]
    head, problems = _canonical_json(release / "ledger_head.json")
    yield "signed head", problems or head_errors(entries, head, public_pem=pem)
    certificate, problems = _canonical_json(release / "certificate.json")
    problems += certificate_errors(certificate, release, public_pem=pem) if not problems else file_problems(release)
    yield "certificate and files", problems
    yield "certificate in the ledger", _closing_errors(entries, certificate)
    for path in sorted((release / FOLDER).glob("*.json")):
        part, problems = _canonical_json(path)
        problems += part_errors(part, certificate, public_pem=pem) if not problems else []
        yield f"{FOLDER}/{shown(path.name)}", problems
    if anchor:
        own = head.get("public_key") if isinstance(head, dict) else None
        yield "anchor", _anchor_errors(Path(anchor), entries, pem or (own if isinstance(own, str) else ""))
    if model_key:
        yield SIGNATURE, _model_errors(release, _given(model_key, "--model-key"))


def file_problems(release: Path) -> list[str]:
    """What can be said of the files where no certificate can be read: which are no files."""
    return [line for line in release_problems(release) if not line.startswith("certificate.json ")]


def _require_release(release: Path) -> None:
    """Refuse a folder that holds nothing of a committed run: that is a wrong path, not a release that fails."""
    if not release.is_dir():
        raise InputError(f"{release}: no such folder; give the release/ of a committed run")
    if not any(os.path.lexists(release / name) for name in APART):
        raise InputError(f"{release / 'ledger.jsonl'}: no such file; give the release/ of a committed run")


def _public_key(path: str) -> tuple[str | None, list[str]]:
    """The key in text, None where none is given; a file that is no key is compared with as it is, and said."""
    if not path:
        return None, []
    content = _given(path, "--public-key")
    if is_public_key(content):
        return content.decode(), []
    return content.decode("utf-8", "replace"), [f"{shown(path)} is not an Ed25519 public key"]


def _anchor_errors(path: Path, entries: list[dict[str, Any]], pem: str) -> list[str]:
    problems = anchor_errors(entries, _given(str(path), "--anchor"), public_pem=pem)
    return [f"{shown(path)}: {problem}" for problem in problems]


def _model_errors(release: Path, key: bytes) -> list[str]:
    """Of the OpenSSF signature; its package follows links and waits for pipes, so that none may be there."""
    if not available():
        raise InputError("--model-key: the package model-signing is not installed")
    if not is_model_key(key):
        return ["the file of --model-key is not a public key on an elliptic curve"]
    if odd := release_problems(release):
        return [f"{SIGNATURE} cannot be checked: {odd[0]}"]
    with tempfile.NamedTemporaryFile(suffix=".pem") as copy:
        copy.write(key)
        copy.flush()
        return signature_errors(release, public_key=Path(copy.name))


def _closing_errors(entries: list[dict[str, Any]], certificate: Any) -> list[str]:
    if not entries or entries[-1]["kind"] != CLOSED:
        return ["the ledger is not closed (ledger.jsonl)"]
    signature = certificate.get("signature") if isinstance(certificate, dict) else None
    if not isinstance(signature, str) or entries[-1]["body"].get("signature") != signature:
        return ["the ledger was closed with another certificate (ledger.jsonl, certificate.json)"]
    return []


def _canonical_json(path: Path) -> tuple[Any, list[str]]:
    """The content; it must be in the one form in which it is written: no byte may go unseen."""
    try:
        raw = read_regular(path)
        content = parsed_json(raw)
        written = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
        sound = isinstance(content, dict) and written.encode("utf-8") == raw
    except Unreadable as error:
        return {}, [f"{path.name} {error}"]
    except (ValueError, TypeError, RecursionError):
        return {}, [f"{path.name} is not readable"]
    return (content, []) if sound else ({}, [f"{path.name} is not in the form in which it was written"])


def _given(path: str, option: str) -> bytes:
    """Content of a file that the auditor names; a link of the auditor's own is followed."""
    try:
        return read_regular(os.path.realpath(path))
    except Unreadable as error:
        if not os.path.lexists(path):
            raise InputError(f"{option}: {path}: no such file") from error
        raise InputError(f"{option}: {path}: {error}") from error
