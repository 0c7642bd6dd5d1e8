"""`kill -9` in the middle of a phase, then the same command: bit-equal to a run that was never interrupted."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from scripts.files import write_json
from scripts.identity import file_digest
from scripts.record.lock import LOCK
from tests.commands.common import (
    FORGET,
    RESTORE,
    assert_same_tensors,
    checkpoint_of,
    files,
    pool_settings,
    read,
    refusal,
    run,
    start,
    succeed,
    temporary,
)

ADAPTER = ("adapter_model.safetensors", "head.safetensors")


def kill_in_the_middle(
    name: str,
    settings: Mapping[str, Any],
    *,
    phase: str,
    last: int,
    cwd: Path,
    run_id: str = "",
    at: int = 2,
) -> None:
    """Run the true command and kill it once its checkpoint has reached epoch `at` of `last`."""
    folder = Path(settings["output_dir"])
    process = start(name, settings, cwd=cwd, run_id=run_id)
    try:
        deadline = time.monotonic() + 300
        while epoch(checkpoint_of(folder, phase)) < at:
            assert process.poll() is None, f"{name} ended before it could be killed: {process.communicate()[1][-3000:]}"
            assert time.monotonic() < deadline, f"{name}: no checkpoint of epoch {at}"
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    state = engine_state(checkpoint_of(folder, phase))
    assert at <= state["epoch"] < last and not state["stopped"], f"{name} was not in the middle: {state}"


def epoch(checkpoint: Path) -> int:
    """The epoch a checkpoint holds; 0 where there is none."""
    return engine_state(checkpoint)["epoch"] if checkpoint.is_file() else 0


def engine_state(checkpoint: Path) -> dict[str, Any]:
    return torch.load(checkpoint, weights_only=True)["engine"]


def weights(folder: Path) -> dict[str, bytes]:
    """The final weights of a run, byte for byte."""
    found = {name for name in files(folder) if name.endswith((".pt", ".safetensors")) and "checkpoints/" not in name}
    return {name: (folder / name).read_bytes() for name in found}


def rows(folder: Path, phase: str) -> list[str]:
    """What the history says of a phase."""
    lines = (folder / "release" / "history.csv").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith(f"{phase},")]


def phase_settings(base: Mapping[str, Any], *, pool: Path, finished: Path, output: Path) -> dict[str, Any]:
    own = {"model_dir": str(pool), "request": str(finished / "request.csv"), "output_dir": str(output)}
    return {**base, **own}


def assert_same_student(first: Path, second: Path) -> None:
    assert_same_tensors(first / "release" / "student.pt", second / "release" / "student.pt")
    for name in ADAPTER:
        assert_same_tensors(first / "private" / "adapter" / name, second / "private" / "adapter" / name)


@pytest.mark.slow
@pytest.mark.parametrize("fold", [-1, 0], ids=["best", "last"])
def test_train(tmp_path: Path, pool: Path, fold: int) -> None:
    settings = pool_settings(tmp_path, fold=fold)
    name = "model.pt" if fold < 0 else f"model_fold{fold}.pt"
    phase = f"train_{Path(name).stem}"
    kill_in_the_middle("train", settings, run_id="single", phase=phase, last=settings["epochs"], cwd=tmp_path)
    assert not (tmp_path / name).exists()

    run("train", settings, run_id="single")
    assert_same_tensors(tmp_path / name, pool / name)
    assert read(tmp_path / "run" / "release" / "timing.json")[phase]["resumed"] is True
    assert rows(tmp_path / "run", phase) == rows(pool / "run", phase)
    assert temporary(tmp_path) == set()


@pytest.mark.slow
def test_forget(tmp_path: Path, pool: Path, finished: Path) -> None:
    folder = tmp_path / "run"
    settings = phase_settings(FORGET, pool=pool, finished=finished, output=folder)
    kill_in_the_middle("forget", settings, phase="forget", last=FORGET["max_rounds"], cwd=tmp_path)
    assert weights(folder) == {}

    succeed("forget", settings, cwd=tmp_path)
    assert_same_student(folder, finished / "forget")
    assert rows(folder, "forget") == rows(finished / "forget", "forget")
    assert read(folder / "release" / "timing.json")["forget"]["resumed"] is True
    assert temporary(tmp_path) == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    "method",
    [{"method": "fold_start"}, {"trainable": "all"}, {"method": "salun"}],
    ids=["fold_start", "all", "batch_statistics"],
)
def test_forget_by_every_method(tmp_path: Path, pool: Path, finished: Path, method: dict[str, Any]) -> None:
    base = {name: value for name, value in FORGET.items() if name != "lora_rank"} | method
    whole = phase_settings(base, pool=pool, finished=finished, output=tmp_path / "whole")
    run("forget", whole)
    settings = {**whole, "output_dir": str(tmp_path / "run")}
    kill_in_the_middle("forget", settings, phase="forget", last=FORGET["max_rounds"], cwd=tmp_path)
    assert weights(tmp_path / "run") == {}

    run("forget", settings)
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")
    assert rows(tmp_path / "run", "forget") == rows(tmp_path / "whole", "forget")
    assert read(tmp_path / "run" / "release" / "timing.json")["forget"]["resumed"] is True


@pytest.mark.slow
def test_restore(tmp_path: Path, pool: Path, finished: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished / "forget", folder)
    before = weights(folder)
    settings = phase_settings(RESTORE, pool=pool, finished=finished, output=folder)
    kill_in_the_middle("restore", settings, phase="restore", last=RESTORE["restore_epochs"], cwd=tmp_path)
    assert weights(folder) == before

    run("restore", settings)
    assert_same_student(folder, finished / "restore")
    assert rows(folder, "restore") == rows(finished / "restore", "restore")
    assert weights(folder)["release/student.pt"] != before["release/student.pt"]
    assert temporary(tmp_path) == set()


def test_a_finished_run_is_left_as_it_is(tmp_path: Path, pool: Path, finished: Path) -> None:
    models, folder = tmp_path / "models", tmp_path / "run"
    shutil.copytree(pool, models)
    shutil.copytree(finished / "restore", folder)
    own = phase_settings({}, pool=models, finished=finished, output=folder)
    before = weights(models), weights(folder), rows(folder, "forget"), rows(folder, "restore")

    run("train", pool_settings(models), run_id="single")
    assert weights(models) == before[0]
    run("restore", {**RESTORE, **own})
    assert (weights(folder), rows(folder, "forget"), rows(folder, "restore")) == before[1:]
    # Forgetting again never writes the unrestored student back.
    run("forget", {**FORGET, **own})
    assert (weights(folder), rows(folder, "forget"), rows(folder, "restore")) == before[1:]


@pytest.mark.parametrize(
    ("name", "changed", "said"),
    [
        ("forget", {"lora_rank": 4}, "lora_rank: 4 not 2"),
        ("forget", {"seed": 1}, "seed: 1 not 0"),
        ("forget", {"retain_batch": 8}, "retain_batch: 8 not 16"),
        ("forget", {"forget_augment": "flips"}, "forget_augment: 'flips' not 'none'"),
        ("restore", {"restore_batch": 2}, "restore_batch: 2 not 4"),
        ("restore", {"image_size": 48}, "image_size: 48 not 32"),
    ],
)
def test_other_settings_are_refused(
    tmp_path: Path, pool: Path, finished: Path, name: str, changed: dict[str, Any], said: str
) -> None:
    settings, checkpoint = interrupted(name, tmp_path, pool=pool, finished=finished)
    before = checkpoint.read_bytes()
    error = refusal(name, {**settings, **changed})
    assert error.exit_code == 2
    assert said in str(error) and "another output_dir" in str(error)
    assert checkpoint.read_bytes() == before


@pytest.mark.parametrize("changed", [{"learning_rate": 1e-4}, {"augment": "none"}, {"phantom_seed": 7}])
def test_a_training_with_other_settings_starts_afresh(tmp_path: Path, pool: Path, changed: dict[str, Any]) -> None:
    """The run folder holds the state of another training; the weights are those of this one alone."""
    shutil.copytree(pool / "run", tmp_path / "run")
    settings = {**pool_settings(tmp_path), "epochs": 1, "select": "last", **changed}
    run("train", settings, run_id="single")
    alone = {**settings, "model_dir": str(tmp_path / "alone"), "output_dir": str(tmp_path / "alone" / "run")}
    run("train", alone, run_id="single")
    assert_same_tensors(tmp_path / "model.pt", tmp_path / "alone" / "model.pt")


@pytest.mark.parametrize("name", ["train", "forget", "restore"])
@pytest.mark.parametrize("size", [0, 1000, 0.5, 0.99])
def test_a_truncated_checkpoint(tmp_path: Path, pool: Path, finished: Path, name: str, size: float) -> None:
    settings, checkpoint = interrupted(name, tmp_path, pool=pool, finished=finished)
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: int(size if size > 1 else size * len(content))])
    before = files(tmp_path)
    error = refusal(name, settings, run_id="single" if name == "train" else None)
    assert (str(error), error.exit_code) == (f"{checkpoint}: not a readable checkpoint; remove it to start afresh", 2)
    # The lock of a refused command goes with its process.
    assert files(tmp_path) | {f"run/private/{LOCK}"} == before | {f"run/private/{LOCK}"}


def interrupted(name: str, folder: Path, *, pool: Path, finished: Path) -> tuple[dict[str, Any], Path]:
    """Settings and checkpoint of a run that ended before its result was written."""
    output = folder / "run"
    if name == "train":
        shutil.copytree(pool / "run", output)
        return pool_settings(folder), checkpoint_of(output, "train_model")
    base, ended = (FORGET, "forget") if name == "forget" else (RESTORE, "restore")
    shutil.copytree(finished / ended, output)
    record = read(output / "private" / "identity.json")
    record[name]["done"] = False
    write_json(output / "private" / "identity.json", record)
    if name == "restore":
        # Until restoration ends the student is the one that forgetting wrote.
        shutil.copy(finished / "forget" / "release" / "student.pt", output / "release" / "student.pt")
        shutil.copytree(finished / "forget" / "private" / "adapter", output / "private" / "adapter", dirs_exist_ok=True)
        state = read(output / "private" / "state.json")
        state["student"] = file_digest(output / "release" / "student.pt")
        write_json(output / "private" / "state.json", state)
    settings = phase_settings(base, pool=pool, finished=finished, output=output)
    return settings, checkpoint_of(output, name)
