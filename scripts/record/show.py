"""What stands in a `release/` folder, for a reader: verdict, certificates, ledger, lineage. Nothing is checked here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scripts.errors import InputError
from scripts.record.certificate import FOLDER
from scripts.record.contents import Unreadable, parsed_json, read_regular, shown
from scripts.record.lineage import FILE_NAME as LINEAGE

SHORT = 12  # characters of a digest that are shown


def release_lines(folder: str | Path) -> Iterator[str]:
    """Lines for the terminal; what cannot be read is named and ends nothing.

    Raises:
        InputError: the folder holds nothing of a run.
    """
    release = Path(folder)
    if not release.is_dir():
        raise InputError(f"{release}: no such folder; give the release/ of a run")
    parts = {
        "verdict.json": _verdict,
        "certificate.json": _certificate,
        **{f"{FOLDER}/{path.name}": _certificate for path in sorted((release / FOLDER).glob("*.json"))},
    }
    lines = {"ledger.jsonl": _entry, LINEAGE: _descent}
    there = [name for name in (*parts, *lines) if (release / name).exists()]
    if not there:
        raise InputError(f"{release}: holds no verdict, certificate, ledger or lineage; give the release/ of a run")
    for name in there:
        yield f"{shown(name)}"
        try:
            raw = read_regular(release / name)
            if name in parts:
                yield from (f"  {line}" for line in parts[name](_object(raw)))
            else:
                yield from (f"  {lines[name](_object(line))}" for line in raw.splitlines())
        except Unreadable as error:
            yield f"  {error}"
        yield ""


def _object(raw: bytes) -> dict[str, Any]:
    content = parsed_json(raw)
    if not isinstance(content, dict):
        raise Unreadable("is no JSON object")
    return content


def _verdict(content: Mapping[str, Any]) -> Iterator[str]:
    yield _pair("outcome", f"{content.get('outcome')}: {content.get('reason')}")
    yield _pair(
        "evidence", f"{content.get('evidence_kind')}, try {content.get('try')}, version {content.get('version')}"
    )
    for check in _list(content, "checks"):
        own = check if isinstance(check, dict) else {}
        met = "met" if own.get("met") is True else "not met" if own.get("met") is False else "not made"
        told = f"{own.get('name')}: {own.get('detail')}"
        yield f"{met:10}{shown(told, most=200)}"
    for line in _list(content, "not_tested"):
        yield _pair("not tested", line)


def _certificate(content: Mapping[str, Any]) -> Iterator[str]:
    for name in (
        "version",
        "state",
        "goal",
        "shown",
        "statement",
        "verdict",
        "tries",
        "override_reason",
        "code_version",
    ):
        if content.get(name) not in (None, ""):
            yield _pair(name.replace("_", " "), content[name])
    request = _table(content, "request")
    units = _list(request, "units")
    yield _pair("request", f"{_short(request.get('digest'))}: {len(units)} of level {request.get('level')}")
    yield _pair("asked on", f"{request.get('requested_on')}, due on {request.get('due_on')}; {request.get('ground')}")
    models = _table(content, "models")
    yield _pair("models", f"{_short(models.get('before'))} before, {_short(models.get('after'))} after")
    counts = {name: len(_list(content, name)) for name in ("destroyed", "not_destroyed")}
    yield _pair("files", f"{len(_table(content, 'files'))} listed, {counts['destroyed']} destroyed")
    for name in ("not_destroyed", "derived", "not_tested"):
        for line in _list(content, name):
            yield _pair(name.replace("_", " "), line)


def _entry(content: Mapping[str, Any]) -> str:
    body = _table(content, "body")
    told = ", ".join(f"{name} {_value(value)}" for name, value in body.items())
    return shown(f"{content.get('index')} {content.get('kind')} {content.get('time', '')}: {told}", most=300)


def _descent(content: Mapping[str, Any]) -> str:
    forgotten = len(_list(content, "forgotten"))
    how = f"{content.get('method')}{', exact' if content.get('exact') is True else ''}"
    told = f", {forgotten} units forgotten, verdict {content.get('verdict')}" if forgotten else ""
    return shown(f"{content.get('index')} {_short(content.get('model'))} by {how}{told}", most=200)


def _pair(name: str, value: object) -> str:
    return f"{name:16}{shown(value, most=300)}"


def _value(value: object) -> str:
    """Short: a digest by its beginning, a list by its length."""
    if isinstance(value, list):
        return f"of {len(value)}"
    if isinstance(value, dict):
        return f"of {len(value)} entries"
    return _short(value) if isinstance(value, str) and len(value) == 64 else str(value)


def _short(value: object) -> str:
    return value[:SHORT] if isinstance(value, str) else "?"


def _list(content: Mapping[str, Any], name: str) -> list[Any]:
    found = content.get(name)
    return found if isinstance(found, list) else []


def _table(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = content.get(name)
    return found if isinstance(found, dict) else {}
