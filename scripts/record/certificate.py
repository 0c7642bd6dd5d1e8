"""The certificate of a committed run: what was asked, what was done, by which evidence, and what remains."""

from __future__ import annotations

import calendar
from collections.abc import Mapping, Sequence
from datetime import MAXYEAR, date
from pathlib import Path
from typing import Any

from scripts.errors import InputError
from scripts.record.contents import Unreadable, contents, file_digest, shown
from scripts.record.keys import HospitalKeys, canonical, signed_by

VERSION = "2"
# What signs or lists the others cannot be listed among them.
APART = ("certificate.json", "ledger.jsonl", "ledger_head.json")
FOLDER = "certificates"  # of the requests that one student answers together
SAME = ("goal", "shown", "statement", "verdict", "models", "data_hash", "config_hash", "code_version", "key_id")
WORDING = {
    "unlearn": "The released model was unlearned: {verdict}.",
    "suppress": "The released model was made to suppress the data; it was not unlearned: {verdict}.",
}
# Of the entries that a check reads; the others are covered by the signature.
TYPES = {"files": Mapping, "public_key": str, "signature": str, "key_id": str, "models": Mapping, "request": Mapping}
LAW = {
    "gdpr": ["Art. 17 (erasure)", "Art. 12(3) (one month)", "Art. 5(2) (accountability)", "Art. 19 (recipients)"],
    "edpb": ["Opinion 28/2024 (attacks, residual risk)", "2025 coordinated action on erasure (backups)"],
    "uk": ["ICO guidance on erasure"],
    "us": ["FTC orders of disgorgement (lineage of models)"],
}


def due_date(requested_on: str) -> str:
    """One month after the request, GDPR Art. 12(3); the last day of a shorter month.

    Raises:
        InputError: not an ISO date, or one that no month follows.
    """
    try:
        asked = date.fromisoformat(requested_on)
    except (ValueError, TypeError) as error:
        raise InputError(f"requested_on: '{requested_on}' is not a date like 2026-01-31") from error
    year, month = (asked.year + asked.month // 12, asked.month % 12 + 1)
    if year > MAXYEAR:
        raise InputError(f"requested_on: '{requested_on}' has no due date one month later")
    return date(year, month, min(asked.day, calendar.monthrange(year, month)[1])).isoformat()


def release_problems(release: str | Path) -> list[str]:
    """Entries of `release/` that no certificate can list: links, pipes, empty folders, files with a second name."""
    return [f"{shown(name)} is {kind}" for name, kind in sorted(contents(release).odd.items())]


def file_hashes(release: Path) -> dict[str, str]:
    """Relative path -> SHA-256 of every file in `release/`, those that are about the others apart.

    Raises:
        InputError: something else than regular files lies there.
    """
    if problems := release_problems(release):
        raise InputError(f"{release}: {problems[0]}; only regular files are certified, remove it")
    return {name: file_digest(release / name) for name in contents(release).files if name not in APART}


def build_certificate(
    *,
    keys: HospitalKeys,
    request: Mapping[str, Any],
    goal: str,
    verdict: Mapping[str, Any] | None,
    tries: int,
    override_reason: str,
    models: Mapping[str, str],
    data_hash: str,
    config_hash: str,
    code_version: str,
    shown: str,
    files: Mapping[str, str],
    destroyed: Sequence[str],
    not_destroyed: Sequence[str],
    derived: Sequence[str],
) -> dict[str, Any]:
    """The signed certificate.

    Args:
        request: digest, level, hidden ids (`units`), requested_on, ground.
        verdict: content of verdict.json; None where there is none, with `override_reason`.
        tries: verdicts that were made of the run, each noted in its ledger.
        models: SHA-256 of the weights before and after.
        shown: how it is known that the data are gone: exact by lineage, equivalent by test, or not shown.
        files: of `release/`.
        destroyed, not_destroyed: files of the run, by their place in it.
        derived: what else was made from the data, which the hospital has to look after.
    """
    outcome = verdict["outcome"] if verdict else "no verdict"
    body: dict[str, Any] = {
        "version": VERSION,
        "state": "committed",
        "goal": goal,
        "shown": shown,
        "statement": WORDING[goal].format(verdict=verdict["wording"] if verdict else "no verdict was given"),
        "request": {**request, "due_on": due_date(request["requested_on"])},
        "verdict": outcome,
        "override_reason": override_reason,
        "evidence": dict(verdict) if verdict else None,
        "tries": int(tries),
        "models": dict(models),
        "data_hash": data_hash,
        "config_hash": config_hash,
        "code_version": code_version,
        "files": dict(files),
        "destroyed": list(destroyed),
        "not_destroyed": list(not_destroyed),
        "derived": list(derived),
        "not_tested": list(verdict["not_tested"]) if verdict else ["everything"],
        "law": LAW,
        "key_id": keys.key_id,
        "public_key": keys.public_pem,
    }
    return {**body, "signature": keys.sign(canonical(body))}


def certificate_errors(certificate: Any, release: Path, *, public_pem: str | None = None) -> list[str]:
    """What does not hold: the form, the signature, whose it is, an entry that was changed, added, removed or odd.

    Nothing is taken for granted of the certificate: it is whatever JSON stands in the file.
    """
    if not isinstance(certificate, Mapping):
        return ["certificate.json is not a certificate: no JSON object", *release_problems(release)]
    wrong = [name for name, kind in TYPES.items() if not isinstance(certificate.get(name), kind)]
    found = [f"certificate.json: {name} is missing or of a wrong type" for name in wrong]
    body = {key: value for key, value in certificate.items() if key != "signature"}
    own, signature = certificate.get("public_key"), certificate.get("signature")
    if not signed_by(own, canonical(body), signature):
        found.append("the certificate's signature does not hold (certificate.json)")
    if public_pem is not None and own != public_pem:
        found.append("the certificate is signed with another key (certificate.json)")
    stated = certificate.get("files")
    return found + file_errors(stated if isinstance(stated, Mapping) else {}, release)


def part_errors(part: Any, whole: Any, *, public_pem: str | None = None) -> list[str]:
    """What does not hold of the certificate of one request of a batch: its signature, or what it has in common.

    Args:
        whole: the certificate of the batch.
    """
    if not isinstance(part, Mapping) or not isinstance(whole, Mapping):
        return ["is not a certificate: no JSON object"]
    body = {key: value for key, value in part.items() if key != "signature"}
    found = []
    if not signed_by(part.get("public_key"), canonical(body), part.get("signature")):
        found.append("its signature does not hold")
    if public_pem is not None and part.get("public_key") != public_pem:
        found.append("it is signed with another key")
    if any(part.get(name) != whole.get(name) for name in SAME):
        found.append("it is of another student than the certificate of the batch")
    own, every = _units(part), _units(whole)
    if not own or any(unit not in every for unit in own):
        found.append("it names somebody whom the batch did not forget")
    return found


def _units(certificate: Mapping[str, Any]) -> list[Any]:
    """The hidden ids of its request; empty where there are none."""
    request = certificate.get("request")
    units = request.get("units") if isinstance(request, Mapping) else None
    return units if isinstance(units, list) else []


def file_errors(stated: Mapping[str, Any], release: Path) -> list[str]:
    """Every entry of `release/` that is not a regular file with the stated SHA-256, and every file that is missing."""
    there = contents(release)
    found = [f"{shown(name)} is {kind}" for name, kind in sorted(there.odd.items())]
    files = {name for name in there.files if name not in APART}
    for name in sorted({*stated, *files} - set(there.odd)):
        if name not in files:
            found.append(f"{shown(name)} is missing")
        elif name not in stated:
            found.append(f"{shown(name)} is not in the certificate")
        elif stated[name] != _digest(release / name):
            found.append(f"{shown(name)} was changed")
    return found


def _digest(path: Path) -> str:
    try:
        return file_digest(path)
    except Unreadable as error:
        return str(error)  # equal to no digest
