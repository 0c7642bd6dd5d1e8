"""Python commands without the import of torch and MONAI, which takes longer than most of them.

A server process has imported third-party packages, and nothing of this repository; every command is a fork of it with
a working directory, an environment and a path of its own, and imports the bundle's code anew from where it is run.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
HEAVY = (
    *("torch", "numpy", "scipy.stats", "monai.bundle", "monai.engines", "monai.data", "monai.transforms"),
    *("monai.networks.nets", "monai.handlers", "monai.inferers", "ignite.engine", "matplotlib.figure", "PIL.Image"),
)
LONGEST = 600  # seconds of a command

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(list(HEAVY))


def python(words: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """`python WORDS`, from beginning to end: `-m MODULE ...`, or `-P SCRIPT ...`.

    Args:
        env: the whole environment of the command.

    Raises:
        TimeoutExpired: it was not done after ten minutes, and was killed.
    """
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("out", "err")]
        process = _context.Process(target=_run, args=(list(words), str(cwd), dict(env), *map(str, paths)))
        process.start()
        process.join(LONGEST)
        if process.is_alive():
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(list(words), LONGEST)
        output, errors = (path.read_text(errors="replace") if path.exists() else "" for path in paths)
        return subprocess.CompletedProcess([sys.executable, *words], process.exitcode or 0, output, errors)


def _run(words: list[str], cwd: str, env: dict[str, str], output: str, errors: str) -> None:
    for path, standard in ((output, 1), (errors, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), standard)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout, sys.stderr = (os.fdopen(standard, "w", buffering=1, closefd=False) for standard in (1, 2))
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for name in [name for name in sys.modules if name.split(".")[0] in ("scripts", "bundle", "tests")]:
        del sys.modules[name]
    installed = Path(sys.prefix).resolve()
    own = [path for path in sys.path if path and not _inside(Path(path).resolve(), ROOT, installed)]
    try:
        if words[0] == "-m":
            sys.argv, sys.path[:] = [words[1], *words[2:]], [cwd, *own]
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            assert words[0] == "-P", "a script's own folder is not on its path"
            sys.argv, sys.path[:] = words[1:], own
            runpy.run_path(words[1], run_name="__main__")
    except Exception as error:
        # As an interpreter ends: by the hook that the bundle puts in place, which may choose the exit code.
        sys.excepthook(type(error), error, error.__traceback__)
        sys.exit(1)


def _inside(path: Path, root: Path, installed: Path) -> bool:
    return path.is_relative_to(root) and not path.is_relative_to(installed)
