"""What preparation will take: proportional to what is to be computed, and nothing of the network is changed."""

from __future__ import annotations

import pytest
import torch
from scripts.engines.arithmetic import Arithmetic
from scripts.methods.method import Method
from scripts.methods.registry import build_method
from scripts.pool.candidates import Candidate, candidates
from scripts.pool.estimate import Estimate
from torch import nn

ABOUT = {"goal": "unlearn", "schedule": "joint", "reference": "fold", "exact": False, "task": "segmentation"}


def method_of(candidate: Candidate) -> Method:
    return build_method(candidate.method, ABOUT, calibrated=candidate.settings)


def estimate(**own: int) -> Estimate:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Conv2d(2, 1, 1))
    sample, arithmetic = torch.zeros(1, 1, 16, 16), Arithmetic(device="cpu", threads=1)
    about = {"network": network, "sample": sample, "arithmetic": arithmetic, "method_of": method_of}
    return Estimate(**about, **{"batch": 4, "images": 10, "epochs": 2, **own})


def test_a_step_is_timed_once_on_a_copy() -> None:
    one = estimate()
    before = {name: value.clone() for name, value in one.network.state_dict().items()}
    state = torch.get_rng_state()
    assert one.step > 0 and one.step == one.step
    assert all(torch.equal(value, before[name]) for name, value in one.network.state_dict().items())
    assert all(parameter.grad is None for parameter in one.network.parameters())
    assert torch.equal(state, torch.get_rng_state())


def test_minutes_follow_from_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Estimate, "_timed", lambda self: 6.0)
    assert estimate().trainings(5) == pytest.approx(5 * 2 * 3 * 6 / 60)
    short = Candidate("fold_start", {"steps_per_round": 5, "max_rounds": 3, "retain_batch": 4})
    assert estimate().trials([short]) == pytest.approx(15 * 4 / 3 * 6 / 60)
    hardened = Candidate("erase_to_retain", {**short.settings, "trainable": "all", "forget_batch": 4})
    # 8 images trained on and asked for, 4 of them twice; the attacked copy takes 4 retain and 4 forget images.
    assert estimate().trials([hardened]) == pytest.approx(15 * (8 * 4 / 3 + 4 / 3 + 8) / 4 * 6 / 60)
    # What a candidate leaves open is its method's default.
    adapter = Candidate("erase_to_retain", {"trainable": "adapter"})
    assert estimate().trials([adapter]) == pytest.approx(180 * (16 * 4 / 3 + 8 / 3) / 4 * 6 / 60)
    assert estimate().trials(candidates(batch=4)) > estimate().trials([hardened])
