"""The last lines of a command: what lies where, and the command that comes next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from scripts.settings.command_line import CommandLine
from scripts.settings.given import Settings
from scripts.settings.overview import RUN_IDS
from scripts.settings.workflows import accepted

# What usually follows; after `forget` it depends on the method.
NEXT = {
    "train": "prepare",
    "prepare": "unlearn",
    "restore": "evaluate",
    "evaluate": "references",
    "unlearn": "references",
    "references": "verify",
    "verify": "commit",
    "commit": "export",
}
# What nobody has given yet, and no default stands for.
NEEDED = {"unlearn": {"request": "request.csv"}, "commit": {"key_dir": "KEYS"}}


def made(workflow: str, *, settings: Settings, folder: Path | None) -> list[str]:
    """What a workflow wrote and where, for those that do not say it themselves."""
    if workflow in ("train", "prepare"):
        return [f"models      {settings.model_dir}"]
    if workflow in ("forget", "restore") and folder is not None:
        return [
            f"student     {folder / 'release' / 'student.pt'}",
            f"state       trial, not erased; {folder / 'private'} holds patient data and the way back",
        ]
    return []


def next_command(workflow: str, line: CommandLine, *, after_forget: str) -> str:
    """The command that follows, with the config files and options of this one as far as it takes them.

    Args:
        after_forget: the workflow that follows `forget`, by its method.
    """
    follows = after_forget if workflow == "forget" else NEXT.get(workflow, "")
    if not follows or not line.config_files:
        return ""
    if follows == "references" and line.options.get("goal") == "suppress":
        return ""  # a retrained model is not what a suppressed one is to be like
    own, *overlays = line.config_files
    files = [str(Path(own).with_name(f"{follows}.yaml")), *overlays]
    given: dict[str, str | None] = {name: text for name, text in line.options.items() if name in accepted(follows)}
    for name, value in NEEDED.get(follows, {}).items():
        given.setdefault(name, value)
    words = ["python", "-m", "monai.bundle", "run", RUN_IDS.get(follows, follows), "--config_file", _listed(files)]
    return " ".join([*map(_quoted, words), *(part for name, text in given.items() for part in _option(name, text))])


def _listed(files: Sequence[str]) -> str:
    return files[0] if len(files) == 1 else "[" + ",".join(f"'{file}'" for file in files) + "]"


def _option(name: str, text: str | None) -> list[str]:
    return [f"--{name}"] if text is None else [f"--{name}", _quoted(text)]


def _quoted(word: str) -> str:
    """As a shell takes it; a list of files keeps its quotes inside double ones."""
    return f'"{word}"' if word.startswith("['") else shlex.quote(word)


def closing(
    workflow: str, line: CommandLine, *, settings: Settings, folder: Path | None, after_forget: str
) -> list[str]:
    """The lines at the end of a command; none where there is nothing to add."""
    found = made(workflow, settings=settings, folder=folder)
    command = next_command(workflow, line, after_forget=after_forget)
    return [*found, f"next        {command}"] if command else found
