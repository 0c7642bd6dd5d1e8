"""`python -m scripts.setup [cpu | gpu] [dev]`: the set-up of `make forget` and `make test` where there is no make.

Makes `.venv` beside this bundle with the packages of `requirements*.txt`; a second call adds what is missing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

from scripts.errors import BAD_INPUT, DONE

ROOT = Path(__file__).resolve().parents[1]
OLDEST = (3, 11)
WORDS = ("cpu", "gpu", "dev")


def requirement_files(words: Sequence[str], *, root: Path = ROOT) -> list[Path]:
    """The files to install, torch first; `dev` adds those of the tests, where this is not a built bundle."""
    torch = "gpu" if "gpu" in words else "cpu"
    names = [f"requirements-{torch}.txt", "requirements.txt"]
    names += ["requirements-dev.txt", "requirements-dicom.txt"] if "dev" in words else []
    return [root / name for name in names]


def interpreter(folder: Path) -> Path:
    """The Python of a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def main(words: Sequence[str], *, root: Path = ROOT, run: Callable[..., int] = subprocess.call) -> int:
    """Make the environment; returns the exit code."""
    odd = [word for word in words if word not in WORDS]
    missing = [path.name for path in requirement_files(words, root=root) if not path.is_file()]
    if sys.version_info < OLDEST:
        return _refuse(f"Python {sys.version.split()[0]} is older than 3.11")
    if odd or {"cpu", "gpu"} <= set(words):
        return _refuse(f"'{' '.join(words)}' is not understood; allowed: cpu or gpu, and dev")
    if missing:
        return _refuse(f"{root}: holds no {missing[0]}")
    folder = root / ".venv"
    if not interpreter(folder).is_file():
        venv.create(folder, with_pip=True)
    for path in requirement_files(words, root=root):
        print(f"pip install -r {path.name}", flush=True)
        line = [str(interpreter(folder)), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        if run([*line, "-r", str(path)]) != 0:
            return _refuse(f"{path.name}: could not be installed; what is there stays, call again")
    print(f"{interpreter(folder)} -m scripts help    lists the workflows")
    return DONE


def _refuse(text: str) -> int:
    print(f"error: {text}", file=sys.stderr)
    return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
