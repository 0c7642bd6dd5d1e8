"""Images on which the student strays are drawn more often; the rest is never left out for good."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from scripts.data.hard_examples import FLOOR, KEPT, HardExamples
from scripts.data.joint import JointLoader
from scripts.errors import InputError
from tests.data.test_joint import content, dataset

RETAIN = [f"r{i}" for i in range(7)]


def hard(share: float = 0.5) -> HardExamples:
    return HardExamples(ids={"retain": RETAIN}, share=share)


def loader(examples: HardExamples, *, steps: int = 200) -> JointLoader:
    data = {"forget": dataset("f", 3), "retain": dataset("r", 7)}
    return JointLoader(data, batch_sizes={"forget": 2, "retain": 4}, steps=steps, seed=0, hard=examples)


def drawn(examples: HardExamples) -> Counter:
    return Counter(i for batch in content(loader(examples), 1) for i in batch["retain"][0])


def test_weight_is_a_running_mean_of_departures() -> None:
    examples = hard()
    examples.observe("retain", ["r2", "r2"], torch.tensor([0.5, 0.1]))
    expected = KEPT * (KEPT * 1 + (1 - KEPT) * (0.5 + FLOOR)) + (1 - KEPT) * (0.1 + FLOOR)
    assert examples.weights["retain"].tolist() == pytest.approx([1, 1, expected, 1, 1, 1, 1])


def test_half_of_the_draws_follow_the_weights_and_half_are_even() -> None:
    examples = hard()
    examples.weights["retain"] = torch.tensor([8.0, 0, 0, 0, 0, 0, 1.0])
    counts = drawn(examples)
    even = 400 / 7
    assert counts["r3"] == pytest.approx(even, abs=1)
    assert counts["r0"] == pytest.approx(even + 400 * 8 / 9, rel=0.1)
    assert counts["r6"] == pytest.approx(even + 400 / 9, rel=0.3)


def test_every_batch_has_its_share() -> None:
    examples = hard(0.25)
    examples.weights["retain"] = torch.tensor([1.0, 0, 0, 0, 0, 0, 0])
    for batch in content(loader(examples, steps=20), 1):
        assert batch["retain"][0][-1] == "r0" and len(batch["retain"][0]) == 4


def test_an_image_drawn_again_is_transformed_anew() -> None:
    examples = hard(1.0)
    examples.weights["retain"] = torch.tensor([1.0, 0, 0, 0, 0, 0, 0])
    pixels = [image for batch in content(loader(examples, steps=3), 1) for image in batch["retain"][1]]
    assert len({str(image) for image in pixels}) == len(pixels) == 12


def test_a_round_depends_on_the_weights_at_its_start_and_on_nothing_else() -> None:
    first, second = hard(), hard()
    first.observe("retain", RETAIN, torch.linspace(0, 3, 7))
    second.load_state_dict(first.state_dict())
    assert content(loader(first, steps=5), 4) == content(loader(second, steps=5), 4)
    assert content(loader(first, steps=5), 4) != content(loader(hard(), steps=5), 4)


def test_the_state_is_a_copy() -> None:
    examples = hard()
    state = examples.state_dict()
    examples.observe("retain", ["r0"], torch.tensor([9.0]))
    assert state["retain"].tolist() == [1] * 7


def test_other_cohorts_are_drawn_evenly() -> None:
    examples = hard()
    examples.observe("forget", ["f0"], torch.tensor([9.0]))
    assert examples.count("forget", 8) == 0


@pytest.mark.parametrize("share", [-0.1, 1.5, "half", True])
def test_a_share_out_of_range(share: object) -> None:
    with pytest.raises(InputError, match="hard_share: .* is not a share"):
        hard(share)  # type: ignore[arg-type]
