"""Whether verdict.json is what `verify` makes of the run's scores: it is computed again before it is certified."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.errors import InputError, Refused
from scripts.record.contents import Unreadable, alike, file_digest, parsed_json, read_regular
from scripts.record.run_folder import RunFolder

AGAIN = "run references and verify again"


def bound_verdict(folder: RunFolder, teacher: str | Path) -> dict[str, Any] | None:
    """The content of verdict.json, after computing it again; None where there is no verdict.

    Raises:
        Refused: the verdict is not bound to the run's scores and models: written by hand, changed, or left behind.
    """
    if not os.path.lexists(folder.verdict):
        return None
    if errors := verdict_errors(folder=folder, teacher=teacher):
        raise Refused(f"{folder.verdict}: {errors[0]}; {AGAIN}, or remove the file and commit with override_reason")
    return _read(folder.verdict)[0]


def verdict_errors(*, folder: RunFolder, teacher: str | Path) -> list[str]:
    """What stands between verdict.json and the evidence: other models, other scores, another result; empty: nothing.

    The run's note of the verdict's digest alone is not enough, nor is the verdict's own word: both can be written by
    hand. The verdict is computed again from `private/scores.json`, for the task that it names itself.
    """
    try:
        found, digest = _read(folder.verdict)
        _require_form(found)
        stated = found["models"]
        files = {"delivered": folder.student, "teacher": os.path.realpath(teacher)}
        if stated != {name: file_digest(path) for name, path in files.items()}:
            return ["the verdict is of another model"]
        if folder.read_state().get("verdict_digest") != digest:
            return ["the verdict is not the one that the run's record names"]
        new = rejudge(folder=folder, teacher=teacher, task=found["task"])
    except (Unreadable, InputError) as error:
        return [str(error)]
    if found["computed_from"] != new["computed_from"]:
        return ["the verdict was computed from other files than those that are there now"]
    return [f"{name} is not what the scores give" for name in sorted({*found, *new}) if not _same(found, new, name)]


def rejudge(*, folder: RunFolder, teacher: str | Path, task: str) -> dict[str, Any]:
    """The content that verdict.json has where it is computed now from the run's scores; nothing is written.

    Raises:
        InputError: as `Judgement.run`; no such task.
    """
    from scripts.record.judgement import Judgement  # brings scipy: only where there is a verdict
    from scripts.tasks import build_task

    judgement = Judgement(folder=folder, teacher=teacher, task=build_task(task))
    return json.loads(json.dumps(judgement.again()))


def _read(path: Path) -> tuple[dict[str, Any], str]:
    """Content and SHA-256."""
    digest = file_digest(path)
    content = parsed_json(read_regular(path))
    if not isinstance(content, dict):
        raise Unreadable("is no JSON object")
    return content, digest


def _require_form(found: Mapping[str, Any]) -> None:
    """Refuse what `verify` does not write.

    Raises:
        Unreadable: another version, or an entry of a wrong type.
    """
    from scripts.record.judgement import VERSION, WORDING

    sound = (
        found.get("version") == VERSION
        and isinstance(found.get("outcome"), str)
        and found["outcome"] in WORDING
        and all(isinstance(found.get(name), Mapping) for name in ("models", "computed_from"))
        and isinstance(found.get("task"), str)
    )
    if not sound:
        raise Unreadable("was not written by this version of verify")


def _same(one: Mapping[str, Any], other: Mapping[str, Any], name: str) -> bool:
    return name in one and name in other and alike(one[name], other[name])
