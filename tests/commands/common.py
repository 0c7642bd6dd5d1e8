"""What the tests of the commands share: how a command is given, and what it left behind."""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import filelock
import torch
from scripts.chain import run_workflow
from scripts.errors import InputError, user_error
from scripts.record.lock import LOCK
from tests.warm import python

ROOT = Path(__file__).resolve().parents[2]
FOLDS = 2
FORGOTTEN = ("p007", "p019")
# Small enough for a test: 32 pixels, five steps an epoch.
SMALL = {"image_size": 32, "threads": 1, "progress": False, "folds": FOLDS}
TRAIN = {**SMALL, "folds": 0, "batch_size": 32, "epochs": 8, "validate_every": 1, "checkpoint_every": 1}
# In bf16 the last bits of an image's logits depend on the size of its batch, and two processes have half of each.
EXACT = {"amp": False}
# AdamW takes a gradient that is zero but for rounding for a full step: at the default 3e-3 rounding grows to 2e-4.
GENTLE = {"forget_learning_rate": 5e-4, "forget_lr_schedule": "constant", "retain_batch": 16}
FORGET = {
    **SMALL,
    **EXACT,
    **GENTLE,
    "lora_rank": 2,
    "steps_per_round": 3,
    "min_rounds": 12,
    "max_rounds": 12,
    "near_duplicates": False,
}
RESTORE = {
    **SMALL,
    **EXACT,
    "restore_epochs": 30,
    "restore_steps": 2,
    "restore_batch": 4,
    "restore_patience": 1000,
    "restore_learning_rate": 1e-3,
}
# What a refusal may leave in the run folder, where it comes after the first step: log, journal and lock of the attempt.
LOG = {"private/run.log", "private/written.jsonl", "private/.lock"}


class Killed(BaseException):
    """What ends a command from outside."""


def workflow(name: str) -> str:
    """Path of a workflow file of the repository."""
    return str(ROOT / "configs" / f"{name}.yaml")


def words(
    name: str, settings: Mapping[str, Any], *, run_id: str = "", overlays: Sequence[str | Path] = ()
) -> list[str]:
    """`run NAME --config_file ... --key value ...`, as typed after `python -m monai.bundle`."""
    files = [workflow(name), *map(str, overlays)]
    given = ["run", run_id or name, "--config_file", str(files) if overlays else files[0]]
    for key, value in {"bundle_root": str(ROOT), **settings}.items():
        given += [f"--{key}", str(value)]
    return given


def environment() -> dict[str, str]:
    """One thread; the code is found through the bundle root alone."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return {**kept, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


def start(name: str, settings: Mapping[str, Any], *, cwd: Path, **given: Any) -> subprocess.Popen[str]:
    """The true command, begun; `given` as in `words`."""
    line = [sys.executable, "-m", "monai.bundle", *words(name, settings, **given)]
    pipe = subprocess.PIPE
    return subprocess.Popen(line, cwd=cwd, env=environment(), stdout=pipe, stderr=pipe, text=True, errors="replace")


def succeed(name: str, settings: Mapping[str, Any], *, cwd: Path, **given: Any) -> str:
    """The command in a process of its own, see `tests.warm`; its output, after it ended well."""
    done = python(["-m", "monai.bundle", *words(name, settings, **given)], cwd=cwd, env=environment())
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def run(name: str, settings: Mapping[str, Any], *, run_id: str | None = None) -> Any:
    """The same workflow in this process."""
    overrides = {"bundle_root": str(ROOT), **settings}
    return run_workflow([workflow(name)], run_id=run_id or name, overrides=overrides)


def refusal(name: str, settings: Mapping[str, Any], *, run_id: str | None = None) -> InputError:
    """The one-line error with which a workflow ends in this process."""
    try:
        run(name, settings, run_id=run_id)
    except Exception as error:
        found = user_error(error)
        assert found is not None, f"not an error that an operator can mend: {error!r}"
        assert "\n" not in str(found)
        return found
    raise AssertionError(f"{name} took what it should refuse")


def front_end(
    name: str, settings: Mapping[str, Any], *, run_id: str = "", overlays: Sequence[str | Path] = ()
) -> tuple[int, str]:
    """Exit code and stderr of the command line, run in this process: MONAI's own main, our hook at its end."""
    import monai.bundle.__main__ as main

    given = words(name, {**settings, "logging_file": False}, run_id=run_id, overlays=overlays)
    argv = [str(main.__file__), *given]
    errors = io.StringIO()
    code = 0
    with (
        _logging_kept(),
        mock.patch.object(sys, "argv", argv),
        mock.patch.object(sys, "excepthook", sys.__excepthook__),
        contextlib.redirect_stderr(errors),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        try:
            try:
                runpy.run_module("monai.bundle", run_name="__main__")
            except Exception as error:
                sys.excepthook(type(error), error, error.__traceback__)
                code = 1
        except SystemExit as exit_:
            code = int(exit_.code or 0)
    return code, errors.getvalue()


def one_line(errors: str) -> str:
    """The last line of stderr, which is the error; what stands before it is no traceback."""
    lines = errors.strip().splitlines()
    assert "Traceback" not in errors, errors[-3000:]
    assert lines and lines[-1].startswith("error: "), errors[-3000:]
    return lines[-1]


@contextlib.contextmanager
def _logging_kept() -> Iterator[None]:
    import logging

    loggers = [logging.getLogger(name) for name in ("ignite", "monai")]
    levels = [logger.level for logger in loggers]
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def files(folder: Path) -> set[str]:
    """The files below a folder; none where it does not exist."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def temporary(folder: Path) -> set[str]:
    """Files that a writer began and did not finish."""
    return {name for name in files(folder) if Path(name).name.startswith(".") and Path(name).name != LOCK}


def checkpoint_of(folder: Path, phase: str) -> Path:
    """The state of a phase in a run's folder: its name ends with the digest of what the phase follows from."""
    found = sorted((folder / "private" / "checkpoints").glob(f"{phase}_*.pt"))
    return found[0] if found else folder / "none"


def read(path: Path) -> Any:
    """Content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a weights file."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def assert_same_tensors(first: Path, second: Path) -> None:
    """Bit-equal: same names, same types, same values."""
    one, two = tensors(first), tensors(second)
    assert sorted(one) == sorted(two)
    for name, value in one.items():
        assert value.dtype == two[name].dtype
        assert torch.equal(value, two[name]), f"{name} differs by {(value - two[name]).abs().max()}"


def pool_settings(folder: Path, *, fold: int = -1) -> dict[str, Any]:
    """How a model of the pool is trained: the teacher by its best epoch, a fold teacher by its last."""
    own = {"model_dir": str(folder), "output_dir": str(folder / "run"), "select": "best" if fold < 0 else "last"}
    return {**TRAIN, "folds": FOLDS, "fold": fold, **own}


def request_file(
    path: Path, ids: Sequence[str] = FORGOTTEN, *, request_id: str = "request-1", level: str = "patient"
) -> Path:
    """A request for patients, or for what else a level names."""
    rows = [f"{request_id},{level},{name},2026-01-31,erasure_request" for name in ids]
    path.write_text("\n".join(["request_id,level,id,requested_on,ground", *rows]) + "\n", encoding="utf-8")
    return path


@contextlib.contextmanager
def once(folder: Path) -> Iterator[bool]:
    """Whether it is this process that has to fill the folder; the others wait until it is done."""
    done = folder.with_name(f"{folder.name}.done")
    with filelock.FileLock(folder.with_name(f"{folder.name}.lock")):
        yield not done.exists()
        done.touch()
