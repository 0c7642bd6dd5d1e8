"""The command line of a bundle run: its key check, and the hook that turns user errors into one line."""

from __future__ import annotations

import difflib
import json
import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts import errors
from scripts.errors import InputError

# Arguments of `monai.bundle run` itself (MONAI 1.6.1), which no config file holds.
RUNNER_KEYS = frozenset(
    "run_id init_id final_id meta_file config_file logging_file tracking args_file workflow_name workflow_type"
    " properties_path".split()
)


@dataclass(frozen=True)
class Invocation:
    """What a run was asked for: its config files, the workflow file first, and the keys set on top."""

    config_files: tuple[str, ...] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_argv(cls, argv: Sequence[str]) -> Invocation:
        """Read `... run ID --config_file F --key value`, as Fire does; another program's line is empty."""
        if len(argv) < 2 or Path(argv[0]).parts[-2:] != ("bundle", "__main__.py") or not argv[1].startswith("run"):
            return cls()
        given: dict[str, Any] = {}
        words = list(argv[2:])
        while words:
            word = words.pop(0)
            if not word.startswith("--"):
                continue
            key, equals, value = word[2:].partition("=")
            if not equals:
                value = words.pop(0) if words and not words[0].startswith("--") else "True"
            given[key.replace("-", "_")] = _value(value)
        if "args_file" in given:
            given = {**json.loads(Path(given["args_file"]).read_text(encoding="utf-8")), **given}
        files = given.get("config_file", ())
        files = (files,) if isinstance(files, str) else tuple(files or ())
        return cls(files, {key: value for key, value in given.items() if key not in RUNNER_KEYS})


def _value(text: str) -> Any:
    from fire.parser import DefaultParseValue

    return DefaultParseValue(text)


def read_config(path: str | Path) -> dict[str, Any]:
    """A config file's own content; a file that is missing or cannot be read is an InputError."""
    import yaml

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such config file")
    try:
        # An overlay is checked against all workflow files: libyaml reads them in a tenth of the time.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a readable YAML or JSON file ({error})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds no keys")
    return content


def known_ids(content: Any, prefix: str = "") -> set[str]:
    """Every id of a config, nested ones with `::`."""
    found: set[str] = set()
    children: Iterable[tuple[Any, Any]] = ()
    if isinstance(content, Mapping):
        children = content.items()
    elif isinstance(content, (list, tuple)):
        children = enumerate(content)
    for key, value in children:
        own = f"{prefix}::{key}" if prefix else str(key)
        found |= {own} | known_ids(value, own)
    return found


def workflow_ids(path: str | Path) -> set[str]:
    """The ids that a workflow file knows: its own, and those of the workflows that it runs (`steps`, `reaches`)."""
    content = read_config(path)
    found = known_ids(content)
    for step in (*content.get("steps", ()), *content.get("reaches", ())):
        found |= known_ids(read_config(Path(path).parent / f"{step}.yaml"))
    return found


def workflows(folder: Path) -> list[Path]:
    """The workflow files of a folder: those that carry `run`."""
    return [path for path in sorted(folder.glob("*.yaml")) if "run" in read_config(path)]


def check_keys(keys: Iterable[str], known: set[str], *, where: str) -> None:
    """Refuse a key that the workflow does not know; a leading `+` adds one on purpose.

    Raises:
        InputError: names the key and the nearest known one.
    """
    for key in keys:
        plain = key.replace("#", "::")
        if plain.startswith("+") or plain in known:
            continue
        near = difflib.get_close_matches(plain, known, n=1, cutoff=0.5)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise InputError(f"{where}: unknown key '{key}'{hint}")


def check(invocation: Invocation) -> None:
    """Compare the command line with the keys of the workflow file, overlays with those of all workflows.

    One overlay serves every workflow on its data set, so it may hold settings that this one does not ask for.
    """
    if not invocation.config_files:
        return
    workflow, *overlays = invocation.config_files
    known = workflow_ids(workflow)
    check_keys(invocation.overrides, known, where="command line")
    if overlays:
        known = known.union(*(workflow_ids(path) for path in workflows(Path(workflow).parent)))
    for overlay in overlays:
        check_keys(read_config(overlay), known, where=overlay)


def prepare(argv: Sequence[str] | None = None) -> None:
    """First step of every workflow's `initialize`: errors as one line, and the key check."""
    invocation = Invocation.from_argv(sys.argv if argv is None else argv)
    if invocation.config_files:
        errors.install()
        # ignite and MONAI log an exception before it reaches the hook; the operator reads one line.
        for name in ("ignite", "monai"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    check(invocation)
