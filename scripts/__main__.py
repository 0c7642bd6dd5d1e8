"""`python -m scripts WORKFLOW [--overlay NAME] [--setting value ...]`: MONAI's command with the config files found.

MONAI's own command ends in a traceback where `--config_file` is missing or names no file; this one knows its files.
Exit codes are those of the workflows.
"""

from __future__ import annotations

import runpy
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from scripts.errors import BAD_INPUT, DONE, InputError

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
HELP = ("help", "-h", "--help")


def command(words: Sequence[str], *, configs: Path = CONFIGS) -> list[str]:
    """The words of `python -m monai.bundle` for those of `python -m scripts`.

    Raises:
        InputError: no such workflow or overlay.
    """
    from scripts.settings.overview import ORDER, RUN_IDS

    name = {"infer": "inference"}.get(words[0], words[0])
    if name not in ORDER or not (configs / f"{name}.yaml").is_file():
        raise InputError(f"'{words[0]}' is no workflow{_meant(words[0], ORDER)}; python -m scripts help lists them")
    files, rest, left = [configs / f"{name}.yaml"], [], list(words[1:])
    while left:
        word = left.pop(0)
        if word == "--overlay" or word.startswith("--overlay="):
            given = word.partition("=")[2] or (left.pop(0) if left else "")
            files.append(_overlay(given, configs))
        else:
            rest.append(word)
    listed = str([str(path) for path in files]) if len(files) > 1 else str(files[0])
    return ["run", RUN_IDS.get(name, name), "--config_file", listed, *rest]


def _overlay(given: str, configs: Path) -> Path:
    for path in (configs / f"{given}.yaml", Path(given)):
        if given and path.is_file():
            return path
    known = [path.stem for path in configs.glob("*.yaml")]
    raise InputError(f"--overlay: '{given}' is neither a file nor one of configs/{_meant(given, known)}")


def _meant(name: str, known: Sequence[str]) -> str:
    from scripts.settings.schema import nearest_name

    near = nearest_name(name, known)
    return f"; did you mean '{near}'?" if near else ""


def main(words: Sequence[str]) -> int:
    """Run the command line; a workflow that ends in an error exits by itself."""
    if not words or words[0] in HELP or any(word in HELP[1:] for word in words[1:]):
        from scripts.settings.overview import overview

        print(overview(CONFIGS))
        return DONE
    try:
        line = command(words)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    # MONAI warns on every run that a config is code; these are the bundle's own, and an overlay is the caller's.
    warnings.filterwarnings("ignore", message="parsing config_file")
    sys.argv = ["monai.bundle", *line]
    runpy.run_module("monai.bundle", run_name="__main__")
    return DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
