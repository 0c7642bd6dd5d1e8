"""All workflows and overlays of a bundle on one screen, from the first line of each config file."""

from __future__ import annotations

import re
import shutil
import textwrap
from pathlib import Path

from scripts.settings.config_file import read_config
from scripts.settings.workflows import WORKFLOWS

# In the order in which a hospital meets them.
ORDER = (
    "train prepare forget restore evaluate unlearn revert references verify commit export process renew"
    " tune compare embed verifier_study inference inference_classification"
).split()
RUN_IDS = {"inference": "infer", "inference_classification": "infer"}
METHOD = "method_"  # how the names of overlays begin that choose a method
WIDTH = 100  # of a screen that does not say how wide it is


def first_line(path: Path) -> str:
    """What a config file says of itself: the first sentence of its first comment, without its own name."""
    text = path.read_text(encoding="utf-8").split("\n", 1)[0].lstrip("# ").strip().rstrip(":")
    sentence = re.split(r"(?<=[a-z0-9)])[.;] ", text)[0].rstrip(".")
    name, colon, rest = sentence.partition(": ")
    own = colon and name.lower().replace(" ", "_") == path.stem
    return rest[:1].upper() + rest[1:] if own else sentence


def overview(config_dir: str | Path) -> str:
    """The page: what can be run, what can be laid over it, and how a command is written."""
    folder = Path(config_dir)
    files = {path.stem: path for path in sorted(folder.glob("*.yaml")) if path.stem != "help"}
    known = [name for name in ORDER if name in files]
    width = min(shutil.get_terminal_size((WIDTH, 24)).columns, 120)
    lines = ["workflows", *_rows({name: files[name] for name in known}, width)]
    overlays = {name: path for name, path in files.items() if name not in known and "run" not in read_config(path)}
    methods = [name.removeprefix(METHOD) for name in overlays if name.startswith(METHOD)]
    others = {name: path for name, path in overlays.items() if not name.startswith(METHOD)}
    lines += ["", "overlays, laid on a workflow file", *_rows(others, width)]
    if methods:
        lines += textwrap.wrap(
            f"{METHOD}NAME  a method of forgetting and its settings: {', '.join(methods)}",
            width,
            initial_indent="  ",
            subsequent_indent=" " * 15,
        )
    first = "forget" if "forget" in files else known[0]
    return "\n".join(
        [
            *lines,
            "",
            f"python -m monai.bundle run {first} --config_file {folder / f'{first}.yaml'} --request request.csv",
            f"python -m scripts {first} --overlay chase --dataset_dir DIR --request request.csv   (the same, shorter)",
            f"settings stand on top of each file, {len(_settings())} in all: docs/SETTINGS.md of the project",
        ]
    )


def _settings() -> set[str]:
    return {name for workflow in WORKFLOWS.values() for name in workflow.names}


def _rows(files: dict[str, Path], width: int) -> list[str]:
    column = max(map(len, files))
    left = width - column - 4
    return [
        f"  {name:{column}}  {textwrap.shorten(first_line(path), left, placeholder=' ...')}"
        for name, path in files.items()
    ]
