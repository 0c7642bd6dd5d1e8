"""The words of `python -m monai.bundle run`, read strictly: what Fire would change or pass over is kept or refused."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.errors import InputError
from scripts.settings.config_file import read_config

# Arguments of `monai.bundle run` itself (MONAI 1.6.1), which no config file holds.
RUNNER_KEYS = frozenset(
    "run_id init_id final_id meta_file config_file logging_file tracking args_file workflow_name workflow_type"
    " properties_path".split()
)
RUN_IDS = ("run_id", "init_id", "final_id")
FIRE_FLAGS = frozenset("help h interactive i trace t verbose v completion separator".split())
RUN_COMMANDS = ("run", "run_workflow")
OPTION = re.compile(r"--([A-Za-z_+%][^=]*)(?:=(.*))?", re.DOTALL)


@dataclass(frozen=True)
class CommandLine:
    """Config files, the workflow file first, and the text of every option that is no argument of the runner's own.

    Attributes:
        options: key -> text as typed; None where the key stands without a value.
        listed: what `--args_file` gives; its values have types and reach the config as they are.
        run_ids: argument of the runner -> the id in the config that it is to run.
    """

    config_files: tuple[str, ...] = ()
    options: Mapping[str, str | None] = field(default_factory=dict)
    listed: Mapping[str, Any] = field(default_factory=dict)
    run_ids: Mapping[str, str] = field(default_factory=dict)


def read_command_line(argv: Sequence[str]) -> CommandLine:
    """Read `PROGRAM run ID --config_file F --key value`.

    Fire passes over words that it does not understand, and takes `-key` for `--key`: then the default would be used in
    place of what was asked for.

    Raises:
        InputError: a word that is no option.
    """
    words = list(argv[1:])
    if not words or words[0] not in RUN_COMMANDS:
        return CommandLine()
    words = words[1:]
    given: dict[str, str | None] = {}
    if words and not words[0].startswith("-"):
        given["run_id"] = words.pop(0)
    while words:
        word = words.pop(0)
        if word == "--":
            _check_for_fire(words)
            break
        matched = OPTION.fullmatch(word)
        if matched is None:
            raise InputError(
                f"command line: '{word}' is not understood; options are given as --name value{_meant(word)}"
            )
        key, text = matched[1].replace("-", "_"), matched[2]
        if text is None and words and not _is_option(words[0]):
            text = words.pop(0)
        given[key] = text  # the last of two counts, as everywhere on command lines
    listed = _listed(given.get("args_file"))
    files = _files(given.get("config_file")) or _files(listed.get("config_file"))
    options = {key: text for key, text in given.items() if key not in RUNNER_KEYS}
    own = {key: value for key, value in listed.items() if key not in {*RUNNER_KEYS, *options}}
    ids = {key: str(value) for key in RUN_IDS if (value := given.get(key) or listed.get(key))}
    return CommandLine(files, options, own, ids)


def _check_for_fire(words: Sequence[str]) -> None:
    """Raise InputError for an option behind `--`: what stands there is for Fire, which passes over what it is not."""
    for word in words:
        if word.partition("=")[0].lstrip("-") not in FIRE_FLAGS:
            raise InputError(f"command line: '{word}' stands behind '--', where no workflow reads it; take '--' away")


def _is_option(word: str) -> bool:
    """Whether Fire takes the word for an option: a hyphen that no number follows."""
    return bool(re.match(r"--|-[A-Za-z]", word))


def _meant(word: str) -> str:
    name = word.lstrip("-").partition("=")[0]
    return f", here --{name}" if re.fullmatch(r"[a-z_]+", name) else ""


def _listed(path: str | None) -> dict[str, Any]:
    """The content of `--args_file`; MONAI reads it too, and says what is wrong with it."""
    if path is None or not Path(path).is_file():
        return {}
    return read_config(path)


def _files(text: Any) -> tuple[str, ...]:
    """The config files of `--config_file F` or `--config_file "['F', 'G']"`."""
    if text is None:
        return ()
    if isinstance(text, (list, tuple)):
        return tuple(map(str, text))
    if not text.strip().startswith(("[", "(")):
        return (text,)
    return tuple(part.strip().strip("'\"") for part in text.strip()[1:-1].split(",") if part.strip())
