"""What a commit is allowed by, checked before anything is destroyed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from scripts.errors import InputError, Refused
from scripts.files import read_json, reading
from scripts.messages import visible
from scripts.record.certificate import due_date
from scripts.record.keys import HospitalKeys
from scripts.record.run_folder import AGAIN, RunFolder
from scripts.record.tombstones import Tombstones
from scripts.request import read_request
from scripts.request.request import GROUNDS, LEVELS

ALLOWED = ("PASS",)
NO_INFLUENCE = "NO-MEASURABLE-INFLUENCE"
# What a setting that was left empty, or given as a bare flag, reads as.
NO_REASON = frozenset("none null nil nan true false yes no n/a na undefined unknown todo tbd".split())
LONGEST_REASON = 1000  # characters
GOALS = ("unlearn", "suppress")


def reason_of(value: object) -> str:
    """The text of `override_reason`, or "" for what is no reason: nothing, a number, a flag, "None", signs alone.

    Raises:
        InputError: it is longer than a certificate has room for.
    """
    if not isinstance(value, str):
        return ""
    text = visible(" ".join(value.split()))
    if len(text) > LONGEST_REASON:
        raise InputError(f"override_reason: has {len(text)} characters; allowed are {LONGEST_REASON}")
    return text if any(sign.isalpha() for sign in value) and text.casefold() not in NO_REASON else ""


def refuse_ids(reason: str, ids: Iterable[str]) -> None:
    """Refuse a reason in which an id of the request stands as a word: the certificate is given away.

    Raises:
        Refused: without the id.
    """
    if any(re.search(rf"(?<!\w){re.escape(one)}(?!\w)", reason, re.IGNORECASE) for one in ids):
        raise Refused("override_reason: holds an id of the request, and stands in the certificate; say it without")


def require_outside(folder: RunFolder, **places: str | Path) -> None:
    """Refuse files of the hospital that lie in what is destroyed or given away, also by way of links.

    Raises:
        Refused: names the setting and the place.
    """
    parts = [folder.root / name for name in ("private", "release", "export")]
    inside = {seen for part in parts for seen in _both(part)}
    for setting, place in places.items():
        if not str(place):
            continue
        for path in (Path(place), *(Path(place).iterdir() if Path(place).is_dir() else ())):
            if any(seen.is_relative_to(part) for seen in _both(path) for part in inside):
                raise Refused(f"{setting}: {path} lies inside the run {folder.root}; keep it outside of runs")


def _both(path: Path) -> tuple[Path, Path]:
    """A path as it is named, and as it is once links are followed."""
    return Path(os.path.abspath(path)), Path(os.path.realpath(path))


def check_hospital_files(*, anchor: str, tombstones: str, keys: Sequence[HospitalKeys]) -> None:
    """Whether what is appended to at the end can be read and written.

    Raises:
        InputError: names the setting and the file.
    """
    if anchor and tombstones and os.path.realpath(anchor) == os.path.realpath(tombstones):
        raise InputError(f"anchor, tombstones: {anchor} is given for both; two files are needed")
    for setting, name in (("anchor", anchor), ("tombstones", tombstones)):
        if name:
            _check_writable(Path(name), setting)
    if anchor and Path(anchor).exists():
        _check_anchor(Path(anchor))
    _check_model_key(keys[0].model_key)
    if tombstones:
        try:
            Tombstones(tombstones, keys=keys).require_free()
        except OSError as error:
            raise InputError(f"tombstones: {tombstones} cannot be read ({error.strerror})") from error


def _check_model_key(path: Path) -> None:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"key_dir: {path} is not a readable key") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise InputError(f"key_dir: {path} is not a key on an elliptic curve")


def _check_writable(path: Path, setting: str) -> None:
    try:
        if os.path.lexists(path) and not path.is_file():
            raise InputError(f"{setting}: {path} is no regular file")
        if path.exists() and not os.access(path, os.R_OK | os.W_OK):
            raise InputError(f"{setting}: {path} cannot be read and written")
        there = path.absolute().parent
        while not os.path.lexists(there):
            there = there.parent
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            raise InputError(f"{setting}: {path} cannot be written: {there} is no folder that this user may write to")
    except OSError as error:
        raise InputError(f"{setting}: {path} cannot be used ({error.strerror})") from error


def _check_anchor(path: Path) -> None:
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        try:
            known = not line or {"ledger", "entries", "hash", "signature"} <= set(json.loads(line))
        except (ValueError, TypeError, RecursionError):
            known = False
        if not known:
            raise InputError(
                f"anchor: {path}, line {number}: is not of an anchor; give the file that commits append to"
            )


def check_request(about: object, *, path: Path) -> dict[str, Any]:
    """The request of a run, as `private/resolution.json` holds it.

    Raises:
        InputError: it is of another form, or has a date from which no due date follows.
    """
    remedy = AGAIN
    if about is None:
        raise InputError("request: the run was made with forget_ratio, for research; only a request is committed")
    with reading(path, remedy=remedy):
        request: dict[str, Any] = dict(about)  # type: ignore[call-overload]
        texts = [request[name] for name in ("request_id", "level", "requested_on", "ground")]
        sound = all(isinstance(text, str) and text for text in (*texts, *request["ids"])) and bool(request["ids"])
        sound = sound and request["level"] in LEVELS and request["ground"] in GROUNDS
        if not sound or isinstance(request["ids"], str):
            raise ValueError("not a request")
        date.fromisoformat(request["requested_on"])
    try:
        due_date(request["requested_on"])
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"{path}: requested_on '{request['requested_on']}' has no due date, one month later; {remedy}"
        ) from error
    return request


def same_as_given(request: Mapping[str, Any], given: str, *, folder: RunFolder) -> None:
    """Refuse a request file that is not the one the run was made for.

    Raises:
        InputError: the file cannot be read.
        Refused: names what differs.
    """
    own = f"give --request with the file that {folder.root} was made for"
    if not given:
        raise Refused(f"request: none is given; {own}")
    asked = read_request(given).as_dict()
    differing = [
        name for name in ("request_id", "level", "ids", "requested_on", "ground") if asked[name] != request[name]
    ]
    if differing:
        told = [f"{name} '{asked[name]}' is not '{request[name]}'" for name in differing if name != "ids"]
        told += ["the ids are not the same"] if "ids" in differing else []
        raise Refused(f"request: {given} is not the request of this run: {', '.join(told)}; {own}")


def verdict_of(folder: RunFolder) -> dict[str, Any] | None:
    """The content of `release/verdict.json`; None where there is none.

    Raises:
        InputError: it is damaged.
    """
    remedy = "run verify again"
    if not os.path.lexists(folder.verdict):
        return None
    found = read_json(folder.verdict, remedy=remedy)
    with reading(folder.verdict, remedy=remedy):
        sound = isinstance(found["outcome"], str) and isinstance(found["wording"], str)
        sound = sound and isinstance(found["models"], dict) and all(isinstance(x, str) for x in found["not_tested"])
        if not sound or not isinstance(found["not_tested"], list):
            raise ValueError("not a verdict")
    return found


def outcome_allowed(
    folder: RunFolder, verdict: Mapping[str, Any] | None, *, models: Mapping[str, str], accept: bool, reason: str
) -> str:
    """The verdict's outcome.

    Raises:
        Refused: it does not allow a commit, and no reason to override it is given.
    """
    allowed = (*ALLOWED, NO_INFLUENCE) if accept else ALLOWED
    if verdict is None:
        outcome, why = "no verdict", "there is no verdict; run references and verify"
    else:
        outcome, why = str(verdict["outcome"]), f"the verdict is {verdict['outcome']}"
        if verdict["models"] != {"delivered": models["after"], "teacher": models["before"]}:
            outcome, why = "no verdict", "the verdict is of another model; run references and verify again"
    if outcome not in allowed and not reason:
        hint = " or accept_no_influence: true" if outcome == NO_INFLUENCE else ""
        raise Refused(f"output_dir: {folder.root}: {why}; to commit nevertheless give override_reason in words{hint}")
    return outcome
