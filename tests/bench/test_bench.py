from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from tests.bench import floor
from tests.bench.__main__ import summary
from tests.bench.cases import phantom
from tests.bench.contenders import passes, steps
from tests.bench.measured import PeakMemory, measured
from tests.bench.memory import compared
from tests.bench.scaling import exponent


def test_exponent_of_a_power_law() -> None:
    sizes = [40, 80, 160, 320]
    assert exponent(sizes, [3 * size**0.4 for size in sizes]) == pytest.approx(0.4)
    assert exponent(sizes, [7.0] * 4) == pytest.approx(0)


def test_peak_memory_sees_what_was_given_back() -> None:
    memory = PeakMemory()
    memory.start()
    block = torch.ones(50_000_000)  # 200 MB
    while memory.peak - memory.base < 1.9e8:
        pass
    del block
    assert 1.9e8 < memory.above() < 4e8


def test_operations_of_a_step_are_those_of_its_convolutions() -> None:
    """The head alone, 8 -> 1 channels of 1 x 1: forward, gradient of the weight; its input needs no gradient."""
    step = floor.ForgetStep(network="unet_half", size=32, batch=2, channels=1, scope="head")
    pixels, weights = 2 * 32 * 32, 8
    adapter = 2 * 8 * 1 * 8 * 3  # B A and its two gradients: rank 8, 8 inputs, 1 output
    assert step.operations() == 2 * pixels * weights * 2 + adapter


@pytest.mark.parametrize("cached", [False, True])
def test_a_step_reaches_the_adapter(cached: bool) -> None:
    step = floor.ForgetStep(network="unet_half", size=32, batch=2, channels=1, cached=cached, bf16=False)
    logits, taught = step.forward.logits({"retain": step.batch})
    assert torch.allclose(logits, taught, atol=1e-5)  # the adapter is at zero
    (logits - taught + 1).square().mean().backward()
    assert any(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in step.student.trainable())
    assert step.forward.cache is None or step.forward.cache.report()["student"]["computed"] == 2


def test_levers_are_added_one_by_one() -> None:
    found = floor.levers(network="unet_half", size=32, batch=2, repeats=1, channels=1)
    assert list(found) == ["nothing", "scope", "cached", "adapters", "channels_last", "bf16"]
    assert all(seconds > 0 for seconds in found.values())


def test_contenders_leave_out_what_is_to_be_forgotten(tmp_path: Path) -> None:
    case = phantom(1)
    for name in ("retrain", "finetune"):
        (step,) = steps(name, case, tmp_path, goal=None)
        assert step["workflow"] == "train" and step["settings"]["request"] == case.settings["request"]
    (released,) = steps("released", case, tmp_path, goal=0.9)
    assert released["settings"]["schedule"] == "released" and released["settings"]["stop_at"] == 0.9
    assert [step["workflow"] for step in steps("ours", case, tmp_path, goal=None)] == ["forget", "restore"]
    (start,) = steps("fold_start", case, tmp_path, goal=None)
    assert (start["workflow"], start["settings"]["method"]) == ("forget", "fold_start")
    (prepared,) = steps("prepared", case, tmp_path, goal=None)
    assert prepared["settings"] == {**start["settings"], "model_dir": str(case.prepared)}


def test_bound_counts_the_passes_that_any_request_needs() -> None:
    """Phantom: 30 epochs of 144 images; 16 to forget, two models and one reference; the selection set twice."""
    found = passes(phantom(1))
    case = phantom(3)
    assert found["retraining"] == 30 * 144
    assert passes(case)["least_of_a_request"] - found["least_of_a_request"] == pytest.approx(16 * 2 / 3)
    assert found["bound"] == found["retraining"] / found["least_of_a_request"]


def test_memory_is_compared_in_processes_of_their_own() -> None:
    """A network of 2.7 MB in a step of 6 MB of images: the peaks are above what the step must hold."""
    found = compared(network="unet_half", size=256, batch=8, channels=3, repeats=1)
    assert min(found["ours"], found["finetune"]) > 8 * 3 * 256 * 256 * 4
    assert found["ratio"] == found["ours"] / found["finetune"]
    assert found["ratio_low_memory"] == found["low_memory"] / found["finetune"]


def test_summary_takes_medians_and_ratios() -> None:
    def run(cpu: float, memory: float = 2.0) -> dict:
        cost = {"cpu_seconds": cpu, "wall_seconds": cpu, "peak_memory_bytes": memory, "import_cpu_seconds": 1.0}
        return {**cost, "outcome": {"dice": {}}}

    found = summary(
        {
            "retrain": [run(90), run(100), run(500)],
            "released": [run(50)] * 3,
            "finetune": [run(10, 4.0)] * 3,
            "ours": [run(1), run(2), run(3)],
        }
    )
    assert found["ratios"]["retrain_over_ours"] == 50 and found["ratios"]["released_over_ours"] == 25
    assert found["memory_ours_over_finetune"] == 0.5
    assert found["contenders"]["retrain"]["cpu_seconds"] == {"median": 100, "low": 90, "high": 500}


def test_a_contender_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    case = phantom(1)
    settings = {**case.settings, "epochs": 1, "model_dir": str(tmp_path), "output_dir": str(tmp_path / "run")}
    found = measured([{"workflow": "train", "settings": settings}])
    assert (tmp_path / "model.pt").is_file()
    assert found["cpu_seconds"] > 0 and found["peak_memory_bytes"] > 1e6 and found["import_cpu_seconds"] > 0
    assert math.isclose(sum(part["cpu_seconds"] for part in found["parts"]), found["cpu_seconds"], rel_tol=0.2)
    with pytest.raises(RuntimeError, match=r"(?s)train ended with 1: .*Workspace"):
        measured([{"workflow": "train", "settings": {**settings, "dataset_name": "no_such_set"}}])
    json.dumps(found)
