"""The parts of a config, which are no settings: what an overlay may put in their place.

MONAI builds a network, a trainer or a list of steps from whatever stands under its id. A plain value in that place runs
nothing and says nothing, or ends in an error of MONAI's that names no id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts.errors import InputError
from scripts.settings.command_line import CommandLine
from scripts.settings.config_file import is_expression, known_ids, read_config
from scripts.settings.keys import hint
from scripts.settings.running import Running
from scripts.settings.schema import SETTINGS
from scripts.settings.setting import Setting
from scripts.settings.values import read_value
from scripts.settings.workflows import WORKFLOWS

DELIVERED = Path(__file__).resolve().parents[2] / "configs"
STEPS = ("initialize", "finalize")  # their steps as delivered must be there, and may have others beside them
REFERENCE = re.compile(r"@(\w+(?:(?:::|#)\w+)*)")


def own_content(workflow: str, line: CommandLine) -> dict[str, Any]:
    """Content of the workflow's file, before overlays; empty where there is none."""
    path = _own_file(workflow, line)
    return read_config(path) if path.is_file() else {}


def _own_file(workflow: str, line: CommandLine) -> Path:
    return Path(line.config_files[0]) if line.config_files else DELIVERED / f"{workflow}.yaml"


def changed_parts(own: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """The parts that are not as the workflow's file has them, and those to which they refer anew; unresolved.

    Args:
        own: content of the workflow's file.
        config: what runs, with overlays and options merged in.
    """
    text = str(config)
    return {
        name: value
        for name, value in config.items()
        if name not in SETTINGS
        and name != "network_def"  # all workflows have it in common; it is told apart
        and (value != own[name] if name in own else re.search(rf"@{re.escape(name)}(?!\w)", text) is not None)
    }


def moving_parts(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Those from which a model may follow: not what says which of them run."""
    return {
        name: value
        for name, value in parts.items()
        if name not in ("run", "finalize") and (name not in WORKFLOWS or isinstance(value, Mapping))
    }


def check_parts(run: Running, workflow: str, line: CommandLine, own: Mapping[str, Any]) -> None:
    """Refuse what cannot stand for a part of the workflow's file, and an id to run that the config lacks.

    Args:
        own: content of the workflow's file.

    Raises:
        InputError: names the id, the value and what is allowed.
    """
    for argument, name in line.run_ids.items():
        plain = name.replace("#", "::")
        if plain not in known_ids(run.config) or plain in SETTINGS:
            able = {key for key in run.config if key not in SETTINGS}
            raise InputError(f"command line: {argument}: '{name}' is nothing that can be run{hint(name, able)}")
    compare_parts(own, run.config)
    _check_other_parts(own, run.config, workflow, beside=_own_file(workflow, line).parent)


def compare_parts(own: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Refuse what cannot stand for a part.

    Args:
        own: content of the workflow's file.
        config: what runs, with overlays and options merged in.

    Raises:
        InputError: names the id, the value and what is allowed.
    """
    for name, before in {"network_def": {}, **own}.items():
        if name in config and name not in SETTINGS and (not is_expression(before) or _runs(before)):
            _compare(name, before, config[name])
    for name in STEPS:
        lacking = [step for step in own.get(name, ()) if name in config and step not in (config[name] or ())]
        if lacking:
            raise InputError(f"{name}: lacks the step '{lacking[0]}'; steps may be added, and none taken out")
    _check_references(own, config)


def _runs(before: str) -> bool:
    """Whether an expression at the top of a file makes or runs a part, and does not only compute a value."""
    return re.match(r"\$?@", before) is not None


def _compare(name: str, before: Any, now: Any) -> None:
    if now == before or (is_expression(now) and not isinstance(before, list)):
        return
    if isinstance(before, Mapping):
        allowed = "an expression, or a block with _target_" if "_target_" in before else "a block, or an expression"
        built = isinstance(now, Mapping) and ("_target_" not in before or isinstance(now.get("_target_"), str))
        if not built:
            raise _refusal(name, now, allowed)
        if before.get("_target_") == now.get("_target_"):
            for key in before:
                if key in now:
                    _compare(f"{name}::{key}", before[key], now[key])
    elif isinstance(before, list):
        _compare_list(name, before, now)
    elif "::" in name and (setting := _setting_of(before)):
        read_value(replace(setting, name=name), now)
    elif _is_part(before, nested="::" in name) and not isinstance(now, Mapping) and not _all_parts(now):
        raise _refusal(name, now, "a block with _target_, or an expression")


def _compare_list(name: str, before: list[Any], now: Any) -> None:
    """A list of parts stays one: of steps that run, or of handlers."""
    if not _all_parts(before):
        return
    empty = now == [] and "::" in name  # no handler is allowed, and no step is not
    if not is_expression(now) and not _all_parts(now) and not empty:
        raise _refusal(name, now, "a list of expressions or of blocks with _target_")


def _all_parts(value: Any) -> bool:
    """Whether it is a list of blocks and expressions, and not an empty one."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, Mapping) or is_expression(item) for item in value)
    )


def _setting_of(before: Any) -> Setting | None:
    """The setting whose value a leaf of a part has in the workflow's file, as `lr: "@learning_rate"`."""
    return SETTINGS.get(before[1:]) if isinstance(before, str) and before.startswith("@") else None


def _is_part(before: Any, *, nested: bool) -> bool:
    """Whether the text of a workflow's file stands for a part; within a block `@name` of a setting is a value."""
    return is_expression(before) and (not nested or REFERENCE.fullmatch(before) is not None)


def _check_references(own: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Refuse a reference to an id that was there until a whole block was replaced by one that lacks it."""
    ids = known_ids(config)
    for found in sorted(known_ids(own) - ids):
        if re.search(rf"@{re.escape(found)}(?!\w|::)", str(config).replace("#", "::")):
            raise InputError(f"{found}: is missing, and other parts refer to it; what replaces its block must have it")


def _check_other_parts(own: Mapping[str, Any], config: Mapping[str, Any], workflow: str, *, beside: Path) -> None:
    """Refuse parts of the workflows that this one runs: they get its settings, and no part of its config."""
    foreign = [key for key in config if key not in own and key not in SETTINGS and key != "network_def"]
    for name in WORKFLOWS[workflow].reaches if foreign else ():
        path = beside / f"{name}.yaml"
        parts = set(read_config(path)) if path.is_file() else set()
        for key in foreign:
            if key in parts:
                raise InputError(
                    f"{key}: is a part of {name}, which {workflow} runs with the settings alone; to change the part,"
                    f" run {name} itself"
                )


def _refusal(name: str, now: Any, allowed: str) -> InputError:
    return InputError(f"{name}: '{now}' is not allowed; allowed is {allowed}")
