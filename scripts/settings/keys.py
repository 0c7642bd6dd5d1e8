"""Keys that were given and that no workflow knows."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scripts.data.notices import notice
from scripts.errors import InputError
from scripts.settings.command_line import CommandLine
from scripts.settings.config_file import is_expression, known_ids, read_config
from scripts.settings.running import Running
from scripts.settings.schema import SETTINGS, nearest_name
from scripts.settings.workflows import WORKFLOWS, accepted

# Of one data set and its models: the steps of a request are given the same of them, whichever of them asks for which.
PLACES = frozenset("dataset_dir datalist model_dir fold_dir split_dir reference_dir device".split())


def check_all_keys(run: Running, workflow: str, line: CommandLine, own: Mapping[str, Any]) -> None:
    """Refuse what no workflow knows: MONAI takes it without a word.

    An overlay serves every workflow on its data set, so it may hold settings that this one does not ask for; an option
    of the command line is for this one.

    Args:
        own: content of the workflow's file.

    Raises:
        InputError: names the key, and the nearest known one where one is alike.
    """
    ids = set(known_ids(run.config)) - set(SETTINGS)
    if line.config_files:
        files = [Path(path) for path in line.config_files if Path(path).is_file()]
        ids = known_ids(own) if own else ids
        for overlay in files[1:]:
            keys = [key for key in read_config(overlay) if key not in SETTINGS and key.replace("#", "::") not in ids]
            # The other workflow files are read only where one of them may know a key.
            check_keys(keys, (ids | set(SETTINGS) | _ids_beside(files[0])) if keys else set(), where=str(overlay))
        idle = {key for key in line.options if key in PLACES and key not in ids | accepted(workflow)}
        for key in sorted(idle):
            notice(f"{key}: {workflow} has no use for it")
        check_keys(line.options, ids | accepted(workflow) | idle, where="command line")
        check_keys(line.listed, ids | set(SETTINGS), where="--args_file")
    text = str(run.config)
    for key, value in run.config.items():
        if (
            key in SETTINGS
            or key == "network_def"
            or key in _runnable(workflow)
            or re.search(rf"@{re.escape(key)}(?!\w)", text)
        ):
            continue
        plain = not isinstance(value, (Mapping, list)) and not is_expression(value)
        # A part that nothing refers to is a user's own, unless it is called almost as what it was meant to be.
        if plain or difflib.get_close_matches(key, [*SETTINGS, "network_def"], n=1, cutoff=0.85):
            raise InputError(f"{key}: is no setting{hint(key, [*SETTINGS, 'network_def'])}")


def check_keys(keys: Iterable[str], known: set[str] | frozenset[str], *, where: str) -> None:
    """Refuse a key that is not known; a leading `+` adds one on purpose.

    Raises:
        InputError: names the key, and the nearest known one where one is alike.
    """
    for key in keys:
        plain = key.replace("#", "::")
        if not plain.startswith("+") and plain not in known:
            raise InputError(f"{where}: unknown key '{key}'{hint(plain, known)}")


def hint(name: str, known: Iterable[str]) -> str:
    """What may have been meant, as the end of an error's line; empty where nothing is alike."""
    near = nearest_name(name, known)
    return f"; did you mean '{near}'?" if near else ""


def _ids_beside(workflow_file: Path) -> set[str]:
    """The ids of the parts of all workflow files of a folder: an overlay may change a part of another workflow."""
    files = [path for name in WORKFLOWS if (path := workflow_file.parent / f"{name}.yaml").is_file()]
    return set().union(*(known_ids(read_config(path)) for path in files)) if files else set()


def _runnable(workflow: str) -> set[str]:
    return {"run", "initialize", "finalize", "_meta_", "infer", "save_execute_config", *WORKFLOWS}
