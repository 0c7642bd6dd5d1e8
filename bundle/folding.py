"""An overlay's values written into a workflow file as its defaults; comments stay."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from monai.bundle import ConfigParser
from scripts.errors import InputError

# key, blanks, one value on one line, comment
SETTING = re.compile(
    r"^(?P<key>[A-Za-z_]\w*):(?P<gap>[ ]+)"
    r"(?P<value>\"(?:[^\"\\]|\\.)*\"|'[^']*'|\[[^\]]*\]|[^\s#\"'\[{|>&][^#]*?)"
    r"(?P<rest>[ ]+\#.*)?$"
)


def settings(path: Path) -> dict[str, Any]:
    """Top-level keys of a YAML file."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds no keys")
    return content


def fold(text: str, overlay: Mapping[str, Any], *, where: str) -> str:
    """`text` of a workflow file with the overlay's values as defaults.

    A top-level setting is replaced on its line. A leaf id such as `train::trainer::max_epochs` is appended, which
    MONAI reads as a change of what stands above. Keys that the file does not know are left out.

    Raises:
        InputError: a value that is a dict, or a setting that is not on one line.
    """
    known = yaml.safe_load(text)
    lines, appended = text.splitlines(), []
    for key, value in overlay.items():
        root = re.split(r"::|#", key)[0]
        if root not in known:
            continue
        if isinstance(value, Mapping):
            raise InputError(f"{where}: '{key}' is a dict, which would replace the whole of it; give leaf ids")
        if key == root:
            lines = _replace(lines, key, value, where=where)
        else:
            appended.append(f"{json.dumps(key)}: {_plain(value)}")
    if appended:
        lines += ["", "# ---- from the data overlay ----", *appended]
    return "\n".join(lines) + "\n"


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)  # JSON is YAML, and never ambiguous


def _replace(lines: list[str], key: str, value: Any, *, where: str) -> list[str]:
    for number, line in enumerate(lines):
        match = SETTING.match(line)
        if match and match["key"] == key:
            start, rest = f"{key}:{match['gap']}{_plain(value)}", (match["rest"] or "").strip()
            width = len(line) - len(rest) if rest else 0
            return [*lines[:number], (start.ljust(width - 1) + " " + rest).rstrip(), *lines[number + 1 :]]
    raise InputError(f"{where}: setting '{key}' does not stand on one line of the workflow file")


def json_twin(path: Path) -> str:
    """The same config as JSON, which is all that `monai.bundle.load` reads."""
    return json.dumps(ConfigParser.load_config_files([str(path)]), indent=4, ensure_ascii=False) + "\n"
