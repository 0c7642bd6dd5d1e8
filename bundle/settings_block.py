"""The settings on top of each workflow file, and their table in the documentation, written from `scripts/settings`."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from bundle.method_pages import method_pages
from scripts.errors import InputError
from scripts.files import write_text
from scripts.settings.schema import SETTINGS
from scripts.settings.workflows import WORKFLOWS, Workflow

BEGIN = "# ---- settings: `python -m bundle settings` writes these lines from scripts/settings ----"
END = "# ---- end of the settings ----"
COLUMN = 36  # where comments begin


def settings_block(workflow: str) -> str:
    """The lines of a workflow's settings, under their headings."""
    own = WORKFLOWS[workflow]
    lines = [BEGIN]
    for heading, names in own.headings.items():
        lines.append(f"# {heading}")
        lines += [_line(name, own) for name in names.split()]
    return "\n".join([*lines, END])


def _line(name: str, workflow: Workflow) -> str:
    setting = SETTINGS[name]
    value = f"{name}: {_yaml(workflow.defaults.get(name, setting.default))}"
    comment = replace(setting, comment=workflow.comments.get(name, setting.comment)).note
    return f"{value.ljust(COLUMN - 2)}  # {comment}"


def _yaml(value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w.+-]*", value) and value not in ("null", "true", "false"):
        return value
    if isinstance(value, list):
        return "[" + ", ".join(str(item) for item in value) + "]"
    return json.dumps(value)


def with_settings(text: str, workflow: str, *, where: str | Path) -> str:
    """The text of a workflow file with its settings written anew.

    Raises:
        InputError: the marks between which they stand are missing.
    """
    found = re.search(f"{re.escape(BEGIN)}.*?{re.escape(END)}", text, re.DOTALL)
    if found is None:
        raise InputError(f"{where}: the lines '{BEGIN}' and '{END}' are missing")
    return text[: found.start()] + settings_block(workflow) + text[found.end() :]


def settings_table() -> str:
    """All settings as a Markdown table: name, default, what is allowed, what it says, and where it stands."""
    rows = ["| setting | default | allowed | what it says | in |", "| --- | --- | --- | --- | --- |"]
    for setting in SETTINGS.values():
        files = [name for name, workflow in WORKFLOWS.items() if setting.name in workflow.names]
        unit = f", {setting.unit}" if setting.unit else ""
        allowed = setting.allowed.replace("|", "\\|")
        default = _yaml(setting.default).replace("|", "\\|")
        rows.append(f"| `{setting.name}` | `{default}` | {allowed}{unit} | {setting.comment} | {', '.join(files)} |")
    return "\n".join(rows)


PAGE = """# Settings

Written by `python -m bundle settings` from `scripts/settings`, which is also where types and ranges are checked. A
setting is changed in its workflow file, in an overlay, as `--name value`, or as a keyword argument of MONAI's Python
API: it arrives the same. A workflow's own default, where it differs, stands in its file.

"""


def write_settings(root: Path) -> list[str]:
    """Write the settings into the workflow files and `docs/SETTINGS.md` of `root`; names of the files that changed."""
    changed = []
    pages = {root / "docs" / "SETTINGS.md": PAGE + settings_table() + "\n"}
    pages |= {root / name: text for name, text in method_pages().items()}
    for workflow in WORKFLOWS:
        path = root / "configs" / f"{workflow}.yaml"
        pages[path] = with_settings(path.read_text(encoding="utf-8"), workflow, where=path)
    for path, text in pages.items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)
            changed.append(path.relative_to(root).as_posix())
    return changed
