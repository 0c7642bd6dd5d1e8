"""The settings of a running workflow, each in its type and range, however they were given."""

from __future__ import annotations

import difflib
import math
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scripts.errors import InputError, chain
from scripts.settings.command_line import CommandLine, read_command_line
from scripts.settings.config_file import known_ids, read_config
from scripts.settings.running import Running
from scripts.settings.schema import SETTINGS, nearest_name
from scripts.settings.setting import Setting
from scripts.settings.values import read_value
from scripts.settings.workflows import WORKFLOWS, accepted


class Settings(Mapping[str, Any]):
    """The values of a workflow's own settings.

    Attributes:
        workflow: name of the workflow.
        given: what was given, by whatever way, for this workflow and for those that it runs.
        blocks: MONAI blocks that replace one of the file, such as `network_def`; unresolved.
        config: all that the workflow's config holds, unresolved.
    """

    def __init__(
        self,
        workflow: str,
        values: Mapping[str, Any],
        *,
        given: Mapping[str, Any] | None = None,
        blocks: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self.workflow = workflow
        self.config = dict(config or {})
        self._values = dict(values)
        self.given = dict(given or {})
        self.blocks = dict(blocks or {})

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_values"][name]
        except KeyError as error:
            raise AttributeError(f"{name} is no setting of workflow {self.__dict__.get('workflow', '')}") from error

    def changed_parts(self, workflow_file: str) -> dict[str, Any]:
        """The parts of the config, settings apart, that are not as the workflow's file has them."""
        plain = read_config(workflow_file)
        return {
            name: value
            for name, value in self.config.items()
            if name in plain and name not in SETTINGS and value != plain[name]
        }

    def procedure(self) -> dict[str, Any]:
        """The settings from which a model's weights follow."""
        moving = {name: value for name, value in self.items() if SETTINGS[name].moves}
        return moving | {name: block for name, block in self.blocks.items() if name == "network_def"}

    def shared(self) -> dict[str, Any]:
        """The settings that all steps of a run have in common."""
        common = {name: value for name, value in self.items() if SETTINGS[name].shared}
        return common | {name: block for name, block in self.blocks.items() if name == "network_def"}


def read_settings(run: Running, workflow: str) -> Settings:
    """The settings of a running workflow, checked, and put back in their types where the config refers to them.

    Raises:
        InputError: an unknown key, a value of another type or out of its range, values that contradict each other.
    """
    line = read_command_line(sys.argv) if run.by_command_line else CommandLine()
    _check_keys(run, workflow, line)
    _check_parts(run, line)
    own, values = WORKFLOWS[workflow], {}
    for name, setting in SETTINGS.items():
        if name in line.options:
            values[name] = _from_line(setting, line.options[name], run)
        elif name in run.config:
            values[name] = _from_config(setting, run, line)
        elif name in own.names:
            values[name] = own.defaults.get(name, setting.default)
    for name, value in values.items():
        if name in run.config:
            run.put(name, value)
    check_together(values)
    mine = {name: values[name] for name in own.names}
    given = {
        name: value
        for name, value in values.items()
        if name not in mine or name == "bundle_root" or run.config.get(name) != _default(workflow, name)
    }
    return Settings(workflow, mine, given=given, blocks=_blocks(run), config=run.config)


def _default(workflow: str, name: str) -> Any:
    return WORKFLOWS[workflow].defaults.get(name, SETTINGS[name].default)


def _from_line(setting: Setting, text: str | None, run: Running) -> Any:
    if text is not None and text.startswith("$"):
        return read_value(setting, resolved(run, setting.name))
    return read_value(setting, text, where="command line", typed=False)


def _from_config(setting: Setting, run: Running, line: CommandLine) -> Any:
    value = run.handed.get(setting.name, run.config[setting.name])
    if isinstance(value, str) and value[:1] in ("$", "@", "%"):
        value = resolved(run, setting.name)
    elif isinstance(value, str) and "::" in value and setting.name not in run.handed:
        value = _as_written(setting, value, line)
    return read_value(setting, value)


def _as_written(setting: Setting, value: str, line: CommandLine) -> Any:
    """A text of a config file as it stands there: MONAI has turned every `#` in it into `::`.

    Raises:
        InputError: it came through the Python API, where the text that was given cannot be known any more.
    """
    if setting.name in line.listed:
        return line.listed[setting.name]
    for path in reversed(line.config_files):
        content = read_config(path)
        if setting.name in content:
            return content[setting.name]
    raise InputError(
        f"{setting.name}: '{value}' holds '::', into which MONAI turns '#'; allowed through the Python API are texts"
        " without both"
    )


def _blocks(run: Running) -> dict[str, Any]:
    """Whole MONAI blocks that were put in place of what the workflow's settings stand for."""
    block = run.config.get("network_def")
    own = isinstance(block, Mapping) and "name" in block and "network_name" in str(block["name"])
    wrapped = isinstance(block, Mapping) and str(block.get("_target_", "")).startswith("scripts.tasks.")
    return {} if block is None or own or wrapped else {"network_def": block}


def resolved(run: Running, name: str) -> Any:
    """The value of a config entry that somebody gave as an expression, a reference or a block.

    Raises:
        InputError: it cannot be made; the entry and the reason are named.
    """
    try:
        return run.resolved(name)
    except Exception as error:  # whatever the entry's own code raises
        first = list(chain(error))[-1]
        raise InputError(f"{name}: cannot be made ({type(first).__name__}: {first})") from error


def _check_parts(run: Running, line: CommandLine) -> None:
    """Refuse an id to run that the config lacks, and a plain value in the place of a part: MONAI fails at both late."""
    for argument, name in line.run_ids.items():
        plain = name.replace("#", "::")
        if plain not in known_ids(run.config) or plain in SETTINGS:
            able = {key for key in run.config if key not in SETTINGS}
            raise InputError(f"command line: {argument}: '{name}' is nothing that can be run{_hint(name, able)}")
    parts = {"network_def"} & set(run.config)
    if line.config_files and Path(line.config_files[0]).is_file():
        own = read_config(line.config_files[0])
        parts |= {key for key, value in own.items() if key not in SETTINGS and isinstance(value, Mapping)}
    for key in sorted(parts):
        value = run.config.get(key)
        if not isinstance(value, Mapping) and not str(value).startswith(("$", "@", "%")):
            raise InputError(f"{key}: '{value}' is not allowed; allowed is a block with _target_, or an expression")


def _check_keys(run: Running, workflow: str, line: CommandLine) -> None:
    """Refuse what no workflow knows: MONAI takes it without a word.

    An overlay serves every workflow on its data set, so it may hold settings that this one does not ask for; an option
    of the command line is for this one.
    """
    ids = set(known_ids(run.config)) - set(SETTINGS)
    if line.config_files:
        files = [Path(path) for path in line.config_files if Path(path).is_file()]
        ids = known_ids(read_config(files[0])) if files else ids
        for overlay in files[1:]:
            keys = [key for key in read_config(overlay) if key not in SETTINGS and key.replace("#", "::") not in ids]
            # The other workflow files are read only where one of them may know a key.
            check_keys(keys, (ids | set(SETTINGS) | _ids_beside(files[0])) if keys else set(), where=str(overlay))
        check_keys(line.options, ids | accepted(workflow), where="command line")
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
        plain = not isinstance(value, (Mapping, list)) and not str(value).startswith(("$", "@", "%"))
        # A part that nothing refers to is a user's own, unless it is called almost as what it was meant to be.
        if plain or difflib.get_close_matches(key, [*SETTINGS, "network_def"], n=1, cutoff=0.85):
            raise InputError(f"{key}: is no setting{_hint(key, [*SETTINGS, 'network_def'])}")


def check_keys(keys: Iterable[str], known: set[str] | frozenset[str], *, where: str) -> None:
    """Refuse a key that is not known; a leading `+` adds one on purpose.

    Raises:
        InputError: names the key, and the nearest known one where one is alike.
    """
    for key in keys:
        plain = key.replace("#", "::")
        if not plain.startswith("+") and plain not in known:
            raise InputError(f"{where}: unknown key '{key}'{_hint(plain, known)}")


def _hint(name: str, known: Iterable[str]) -> str:
    near = nearest_name(name, known)
    return f"; did you mean '{near}'?" if near else ""


def _ids_beside(workflow_file: Path) -> set[str]:
    """The ids of the parts of all workflow files of a folder: an overlay may change a part of another workflow."""
    files = [path for name in WORKFLOWS if (path := workflow_file.parent / f"{name}.yaml").is_file()]
    return set().union(*(known_ids(read_config(path)) for path in files)) if files else set()


def _runnable(workflow: str) -> set[str]:
    return {"run", "initialize", "finalize", "_meta_", "infer", *WORKFLOWS}


def check_together(values: Mapping[str, Any]) -> None:
    """Refuse values that contradict each other.

    Raises:
        InputError: names the settings and their values.
    """

    def value(name: str) -> Any:
        return values.get(name)

    if value("min_rounds") and value("max_rounds") and value("min_rounds") > value("max_rounds"):
        raise InputError(f"min_rounds: {value('min_rounds')} is more than max_rounds, {value('max_rounds')}")
    if value("folds") == 1:
        raise InputError("folds: 1 is not allowed; allowed: 0 for none, or from 2")
    if 0 < (value("reference_pairs") or 0) < 4:
        raise InputError(f"reference_pairs: {value('reference_pairs')} is not allowed; allowed: 0, or from 4")
    slack, bound = value("suppress_slack"), value("suppress_bound")
    if slack is not None and bound is not None and slack >= bound:
        raise InputError(f"suppress_slack: {slack} is not below suppress_bound, {bound}")
    if (value("validate_every") or 0) > (value("epochs") or math.inf):
        needing = ["select"] * (value("select") == "best") + ["patience"] * bool(value("patience"))
        if needing:
            raise InputError(
                f"{needing[0]}: {value(needing[0])} needs looks at the selection set, and there are none:"
                f" validate_every, {value('validate_every')}, is more than epochs, {value('epochs')}"
            )
    if value("cached_views") and value("forget_augment") == "none":
        raise InputError(
            f"cached_views: {value('cached_views')} has no effect with forget_augment: none; give the random transforms"
            " of which they are draws, or 0"
        )
    if value("forget_objective") == "imitation" and value("reference") == "none":
        raise InputError(
            "forget_objective: imitation takes its targets from fold teachers, which reference: none rules out; give"
            " reference: fold, or another objective"
        )
    shares = [name for name in ("validation_share", "test_share", "guard_share") if value(name)]
    if sum(value(name) for name in shares) >= 1:
        raise InputError(f"{', '.join(shares)}: together they leave no training data; their sum must be below 1")
    if value("request") and value("forget_ratio"):
        raise InputError(
            f"request: '{value('request')}' and forget_ratio: {value('forget_ratio')} are both given; give one"
        )
    if value("device") is not None and not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", value("device")):
        raise InputError(f"device: '{value('device')}' is not allowed; allowed: auto, cpu, cuda, cuda:N")
    for name in ("model_name", "output_file", "output_postfix"):
        if value(name) is not None and (not value(name) or "/" in value(name) or value(name) in (".", "..")):
            raise InputError(f"{name}: '{value(name)}' is not a name; folders go into a setting of their own")
    if value("model_name") is not None and value("model_name").lower().endswith(".json"):
        raise InputError(f"model_name: '{value('model_name')}' is the name of a record; weights are called as model.pt")
