"""Two processes, started by torchrun, do what one does: the same result, and every file once."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from scripts.identity.identity import file_digest
from tests.commands.common import (
    FORGET,
    RESTORE,
    ROOT,
    TRAIN,
    checkpoint_of,
    environment,
    files,
    once,
    read,
    run,
    tensors,
    words,
)
from tests.commands.two_processes import OVERLAY

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"]
# Parts of 1 and 2 forget images and of 2 and 3 retain images, some of them drawn by weight, and random targets.
UNEVEN = {
    "reference": "none",
    "hard_share": 0.5,
    "forget_batch": 3,
    "retain_batch": 5,
    "min_rounds": 2,
    "max_rounds": 3,
}
# The last forget batch of a pass is a single image: one process has none.
RELEASED = {
    "schedule": "released",
    "lora_dropout": 0.0,
    "forget_batch": 7,
    "retain_batch": 50,
    "min_rounds": 2,
    "max_rounds": 2,
}
# All weights, hardened: each process attacks its copy with its part of the batch. Plain descent, see below.
HARDENED = {
    "trainable": "all",
    "lora_rank": None,
    "hardening_weight": 0.3,
    "hardening_steps": 2,
    "optimizer::_target_": "torch.optim.SGD",
    "forget_learning_rate": 0.05,
    "min_rounds": 2,
    "max_rounds": 2,
    "forget_batch": 3,
    "retain_batch": 9,
}
# AdamW takes a gradient that is zero but for rounding for a full step; plain descent leaves it small.
DESCENT = {"epochs": 2, "optimizer::_target_": "torch.optim.SGD", "learning_rate": 0.05, "batch_size": 49}
# BatchNorm is synchronised between GPUs alone.
UNSYNCHRONISED = {
    "network_def": {
        "_target_": "monai.networks.nets.UNet",
        "spatial_dims": 2,
        "in_channels": 1,
        "out_channels": 1,
        "channels": [8, 16, 32],
        "strides": [2, 2],
        "norm": "instance",
    }
}


def torchrun(line: list[str], *, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TORCHRUN, *line], cwd=cwd, env=environment(), capture_output=True, text=True, errors="replace", timeout=600
    )


def plan(folder: Path, pool: Path, request: Path) -> list[dict[str, Any]]:
    """Workflows that the two processes run one after another, each into a folder of `folder`."""
    given = {"model_dir": str(pool), "request": str(request)}
    forget = {**FORGET, **given}
    steps = [
        ("uneven", "forget", "forget", {**forget, **UNEVEN}, 5),
        ("released", "forget", "forget", {**forget, **RELEASED}, 0),
        ("hardened", "forget", "forget", {**forget, **HARDENED}, 0),
        ("restored", "restore", "restore", {**RESTORE, **given}, 0),
        ("trained", "train", "single", {**TRAIN, **DESCENT, **UNSYNCHRONISED, "model_dir": str(folder / "trained")}, 0),
    ]
    return [
        {"name": name, "run_id": run_id, "settings": {**own, "output_dir": str(folder / into)}, "interrupt": at}
        for into, name, run_id, own, at in steps
    ]


@pytest.fixture(scope="session")
def side_by_side(shared: Path, pool: Path, finished: Path) -> SimpleNamespace:
    """The same workflows by one process (`one`) and by two (`two`), and what the two said."""
    folder = shared / "side_by_side"
    one, two = folder / "one", folder / "two"
    with once(folder) as todo:
        if todo:
            for into in (one, two):
                into.mkdir(parents=True)
                shutil.copytree(finished / "forget", into / "restored")
            steps = plan(two, pool, finished / "request.csv")
            (folder / "plan.json").write_text(json.dumps({"steps": steps, "found": str(folder / "found.pt")}))
            done = torchrun(["-m", "tests.commands.two_processes", str(folder / "plan.json")], cwd=ROOT)
            assert (folder / "found.pt").is_file(), done.stderr[-5000:]
            (folder / "said.json").write_text(json.dumps([done.returncode, done.stdout, done.stderr]))
            for step in plan(one, pool, finished / "request.csv"):
                if Path(step["settings"]["output_dir"]).name != "restored":
                    run(step["name"], step["settings"], run_id=step["run_id"])
            shutil.rmtree(one / "restored")
            shutil.copytree(finished / "restore", one / "restored")
    code, output, said = read(folder / "said.json")
    found = torch.load(folder / "found.pt", weights_only=True)
    return SimpleNamespace(one=one, two=two, found=found, code=code, output=output, said=said)


def history(folder: Path) -> list[dict[str, str]]:
    with (folder / "release" / "history.csv").open(newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table))


def assert_same_history(one: Path, two: Path) -> None:
    """The same rows, each once, with values that differ by rounding."""
    first, second = history(one), history(two)
    names = [tuple(row[key] for key in ("phase", "epoch", "iteration", "name")) for row in second]
    assert names == [tuple(row[key] for key in ("phase", "epoch", "iteration", "name")) for row in first]
    assert len(names) == len(set(names))
    values = [torch.tensor([float(row["value"]) for row in rows], dtype=torch.float64) for rows in (first, second)]
    torch.testing.assert_close(values[1], values[0], rtol=1e-4, atol=1e-4)


def assert_close_tensors(one: Path, two: Path) -> None:
    torch.testing.assert_close(tensors(two), tensors(one), rtol=1e-5, atol=1e-5)


def assert_same_outputs(one: Path, two: Path) -> None:
    assert files(two) == files(one)
    assert sorted(path.name for path in (two / "release" / "tensorboard").iterdir()) == sorted(
        path.name for path in (one / "release" / "tensorboard").iterdir()
    )
    timing = [read(folder / "release" / "timing.json") for folder in (one, two)]
    assert sorted(timing[0]) == sorted(timing[1])
    for phase, entry in timing[1].items():
        assert (entry["steps"], entry["rounds"]) == (timing[0][phase]["steps"], timing[0][phase]["rounds"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["uneven", "released", "restored"])
def test_two_processes_make_the_student_of_one(side_by_side: SimpleNamespace, name: str) -> None:
    one, two = side_by_side.one / name, side_by_side.two / name
    assert_close_tensors(one / "release" / "student.pt", two / "release" / "student.pt")
    for part in ("adapter_model", "head"):
        assert_close_tensors(*(folder / "private" / "adapter" / f"{part}.safetensors" for folder in (one, two)))
    assert_same_history(one, two)
    assert_same_outputs(one, two)
    phase = "restore" if name == "restored" else "forget"
    entry = read(two / "release" / "timing.json")[phase]
    # The first of them was interrupted in the middle of a round, and taken up again by both processes.
    assert entry["processes"] == 2 and entry["resumed"] == (name == "uneven")


@pytest.mark.slow
def test_two_processes_harden_as_one(side_by_side: SimpleNamespace, pool: Path) -> None:
    one, two = (folder / "hardened" for folder in (side_by_side.one, side_by_side.two))
    start, alone, both = (
        tensors(path) for path in (pool / "model.pt", *(folder / "release" / "student.pt" for folder in (one, two)))
    )
    moved = max(float((alone[name] - start[name]).abs().max()) for name in start)
    # The attacker is AdamW, which makes rounding grow within its few steps.
    apart = max(float((alone[name] - both[name]).abs().max()) for name in start)
    assert moved > 1e-3 and apart < moved / 50
    assert_same_outputs(one, two)


@pytest.mark.slow
def test_students_have_moved(side_by_side: SimpleNamespace, finished: Path, pool: Path) -> None:
    """Tolerances mean something only where there was something to learn."""
    before = {"uneven": pool / "model.pt", "released": pool / "model.pt"}
    before["restored"] = finished / "forget" / "release" / "student.pt"
    for name, path in before.items():
        start, end = tensors(path), tensors(side_by_side.two / name / "release" / "student.pt")
        assert max(float((end[key] - start[key]).abs().max()) for key in start) > 2e-4, name


@pytest.mark.slow
def test_weights_of_hard_examples_are_those_of_one_process(side_by_side: SimpleNamespace) -> None:
    weights = [
        torch.load(checkpoint_of(folder / "uneven", "forget"), weights_only=True)["objects"]["hard"]
        for folder in (side_by_side.one, side_by_side.two)
    ]
    assert float((weights[0]["retain"] != 1).float().mean()) > 0.1
    torch.testing.assert_close(weights[1], weights[0], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_teacher_is_trained_as_by_one_process(side_by_side: SimpleNamespace) -> None:
    one, two = side_by_side.one / "trained", side_by_side.two / "trained"
    torch.testing.assert_close(tensors(two / "model.pt"), tensors(one / "model.pt"), rtol=1e-3, atol=1e-4)
    assert_same_history(one, two)
    assert_same_outputs(one, two)
    records = [read(folder / "model.json") for folder in (one, two)]
    for folder, record in zip((one, two), records, strict=True):
        assert record.pop("weights") == file_digest(folder / "model.pt")  # equal up to rounding, not to the bit
    trained = [record.pop("membership") for record in records]  # the salts differ
    counted = [sorted(record.pop("images_of").values()) for record in records]
    assert records[0] == records[1] and counted[0] == counted[1]
    assert [len(trained[0][name]) for name in ("patients", "images")] == [
        len(trained[1][name]) for name in ("patients", "images")
    ]


@pytest.mark.slow
def test_decisions_are_those_of_the_first_process(side_by_side: SimpleNamespace) -> None:
    found = side_by_side.found
    assert found["size"] == 2
    assert found["agreed"] == found["once"] == [0, 0]
    assert found["said"] == ["no such thing"] * 2 and sorted(found["speaks"]) == [False, True]


@pytest.mark.slow
def test_an_error_of_one_process_is_one_line_and_ends_all_alike(side_by_side: SimpleNamespace) -> None:
    assert side_by_side.said.count("error: the second process alone meets this") == 1
    assert_all_ended_with(2, side_by_side)
    assert side_by_side.output.count("model.pt: select") == 1


def assert_all_ended_with(code: int, done: Any) -> None:
    """No traceback but torchrun's own, which reports the exit codes of its processes."""
    own, _, report = done.said.partition("ChildFailedError")
    assert own.count("Traceback") == 1 and "distributed/run.py" in own, done.said[-5000:]
    codes = re.findall(r"exitcode\s*:\s*(-?\d+)", report)
    # A process that did not end by itself within moments is ended by torchrun.
    assert str(code) in codes and set(codes) <= {str(code), "-15"}, report


@pytest.mark.slow
def test_the_command_of_the_manual(finished: Path, pool: Path, tmp_path: Path) -> None:
    settings = {"model_dir": pool, "request": finished / "request.csv", "output_dir": tmp_path / "run"}
    line = words("forget", {**FORGET, **settings, "progress": True}, overlays=[OVERLAY])
    done = torchrun(["-m", "monai.bundle", *line], cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-5000:]
    rounds = [text.split()[1] for text in done.stdout.splitlines() if text.startswith("forget ")]
    assert rounds == [f"{number}/{FORGET['max_rounds']}" for number in range(1, FORGET["max_rounds"] + 1)]
    one, two = finished / "forget", tmp_path / "run"
    assert_close_tensors(one / "release" / "student.pt", two / "release" / "student.pt")
    assert_same_history(one, two)
    assert_same_outputs(one, two)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


@pytest.mark.slow
def test_an_error_that_all_processes_meet_is_one_line(finished: Path, pool: Path, tmp_path: Path) -> None:
    settings = {"model_dir": pool, "request": finished / "request.csv", "output_dir": tmp_path / "run"}
    line = words("forget", {**FORGET, **settings, "retain_objective": "distilation"}, overlays=[OVERLAY])
    done = torchrun(["-m", "monai.bundle", *line], cwd=tmp_path)
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and "did you mean 'distillation'" in lines[0], done.stderr[-5000:]
    assert_all_ended_with(2, SimpleNamespace(said=done.stderr))
    assert not (tmp_path / "run" / "release" / "student.pt").exists()
