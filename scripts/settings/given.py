"""The settings of a running workflow, each in its type and range, however they were given."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from scripts.errors import InputError, chain
from scripts.request.withdrawn import dated
from scripts.settings.command_line import CommandLine, read_command_line
from scripts.settings.config_file import read_config
from scripts.settings.keys import check_all_keys
from scripts.settings.parts import changed_parts, check_parts, moving_parts, own_content
from scripts.settings.running import Running
from scripts.settings.schema import SETTINGS
from scripts.settings.setting import Setting
from scripts.settings.together import check_together
from scripts.settings.values import read_value
from scripts.settings.workflows import WORKFLOWS


class Settings(Mapping[str, Any]):
    """The values of a workflow's own settings.

    Attributes:
        workflow: name of the workflow.
        given: what was given, by whatever way, for this workflow and for those that it runs.
        blocks: MONAI blocks that replace one of the file, such as `network_def`; unresolved.
        parts: the other parts that are not as the workflow's file has them, such as `optimizer`; unresolved.
    """

    def __init__(
        self,
        workflow: str,
        values: Mapping[str, Any],
        *,
        given: Mapping[str, Any] | None = None,
        blocks: Mapping[str, Any] | None = None,
        parts: Mapping[str, Any] | None = None,
    ) -> None:
        self.workflow = workflow
        self._values = dict(values)
        self.given = dict(given or {})
        self.blocks = dict(blocks or {})
        self.parts = dict(parts or {})

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

    def with_values(self, values: Mapping[str, Any]) -> Settings:
        """The same with other values of some settings, as if they had been given."""
        own = {name: value for name, value in values.items() if name in self._values}
        return Settings(
            self.workflow,
            {**self._values, **own},
            given={**self.given, **values},
            blocks=self.blocks,
            parts=self.parts,
        )

    def without(self, names: Collection[str]) -> Settings:
        """The same, as if these had not been given to the workflows that this one runs."""
        given = {name: value for name, value in self.given.items() if name not in names}
        return Settings(self.workflow, self._values, given=given, blocks=self.blocks, parts=self.parts)

    def procedure(self) -> dict[str, Any]:
        """The settings from which a model's weights follow, and the changed parts, from which they may follow."""
        moving = {name: value for name, value in self.items() if SETTINGS[name].moves}
        return moving | self.blocks | moving_parts(self.parts)

    def shared(self) -> dict[str, Any]:
        """The settings that all steps of a run have in common."""
        common = {name: value for name, value in self.items() if SETTINGS[name].shared}
        return common | self.blocks


def line_of(run: Running) -> CommandLine:
    """The command line that started a workflow; empty where a program did."""
    return read_command_line(sys.argv) if run.by_command_line else CommandLine()


def read_settings(run: Running, workflow: str) -> Settings:
    """The settings of a running workflow, checked, and put back in their types where the config refers to them.

    Raises:
        InputError: an unknown key, a value of another type or out of its range, values that contradict each other.
    """
    if workflow not in WORKFLOWS:
        raise InputError(f"workspace::workflow: '{workflow}' is not allowed; allowed: {' | '.join(WORKFLOWS)}")
    line = line_of(run)
    _check_tracking(run, workflow)
    own_file = own_content(workflow, line)
    check_parts(run, workflow, line, own_file)
    check_all_keys(run, workflow, line, own_file)
    own, values = WORKFLOWS[workflow], {"bundle_root": _bundle_root(run, line)}
    # What other settings refer to.
    run.put("bundle_root", values["bundle_root"])
    for name, setting in SETTINGS.items():
        if name in values:
            continue
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
    _take_withdrawn(values, run, workflow)
    if not Path(values["bundle_root"]).is_dir():
        raise InputError(
            f"bundle_root: '{values['bundle_root']}' is no folder; give the one that holds configs/ and scripts/"
        )
    mine = {name: values[name] for name in own.names}
    given = {
        name: value
        for name, value in values.items()
        if name not in mine or name == "bundle_root" or run.config.get(name) != _default(workflow, name)
    }
    return Settings(workflow, mine, given=given, blocks=_blocks(run), parts=changed_parts(own_file, run.config))


def _check_tracking(run: Running, workflow: str) -> None:
    """Refuse `--tracking`, which shows in the config, where there is nothing to track or nothing to track with."""
    from scripts.record.tracking import TRACKED, TRACKER, check_tracker

    if TRACKER not in run.config:
        return
    if workflow not in TRACKED:
        raise InputError(f"tracking: workflow '{workflow}' has no training steps; it is for {', '.join(TRACKED)}")
    check_tracker()


def _bundle_root(run: Running, line: CommandLine) -> str:
    """The folder of the bundle: the given one, or that of the workflow file, from wherever it is started."""
    setting = SETTINGS["bundle_root"]
    if setting.name in line.options:
        return str(_from_line(setting, line.options[setting.name], run))
    if setting.name not in run.config:
        return str(setting.default)
    given = str(_from_config(setting, run, line))
    return str(run.beside) if given == setting.default and run.beside is not None else given


def _take_withdrawn(values: dict[str, Any], run: Running, workflow: str) -> None:
    """Let a bare list with its date be the request, wherever a step asks for it.

    Raises:
        InputError: one of the two settings is missing, or there is a request beside them.
    """
    listed, date = values.get("withdrawn", ""), values.get("requested_on", "")
    if bool(listed) != bool(date) and workflow != "process":
        raise InputError(f"withdrawn: '{listed}', requested_on: '{date}': give both, or neither")
    if not listed:
        return
    if run.config.get("request") not in (None, "", _default(workflow, "request")):
        raise InputError(f"request: '{values['request']}' and withdrawn: '{listed}' are both given; give one")
    if "request" in values:  # a chain hands the two settings on to its steps
        values["request"] = dated(listed, date)
        run.put("request", values["request"])


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
        found = run.resolved(name)
    except Exception as error:  # whatever the entry's own code raises
        first = list(chain(error))[-1]
        raise InputError(f"{name}: cannot be made ({type(first).__name__}: {first})") from error
    if name == "network_def" and not hasattr(found, "state_dict"):
        raise InputError(f"network_def: '{found}' is no network; allowed is a torch module")
    return found
