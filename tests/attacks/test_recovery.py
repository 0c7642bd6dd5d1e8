"""Attacks on released weights: what each changes, and that the network handed in stays as it is."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from scripts.attacks.recovery import EVALUATED, IMAGES, NAMES, build_attempts, build_recoveries, halves, spread
from scripts.errors import InputError
from scripts.settings.schema import SETTINGS
from torch import nn


@pytest.fixture(scope="module")
def attacks(bench: Any) -> dict[str, Any]:
    return build_recoveries(NAMES, loaders=bench.loaders(), task=bench.task, arithmetic=bench.arithmetic, steps=3)


def changed(before: nn.Module, after: nn.Module) -> set[str]:
    own, other = before.state_dict(), after.state_dict()
    return {name for name in own if not torch.equal(own[name], other[name])}


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_copy_in_eval_and_the_same_again(bench: Any, attacks: dict[str, Any], name: str) -> None:
    before = copy.deepcopy(bench.teacher.state_dict())
    found = attacks[name](bench.teacher)
    assert changed(bench.teacher, found) and not found.training
    assert all(not parameter.requires_grad for parameter in found.parameters())
    assert all(torch.equal(value, before[key]) for key, value in bench.teacher.state_dict().items())
    assert not changed(found, attacks[name](bench.teacher))


def test_what_each_of_them_changes(bench: Any, attacks: dict[str, Any]) -> None:
    names = {name: changed(bench.teacher, attack(bench.teacher)) for name, attack in attacks.items()}
    assert all("running" in key or "num_batches" in key for key in names["batch_norm"])
    assert names["new_head"] == {"final_conv.weight", "final_conv.bias"}
    assert not any("running" in key for key in names["fine_tuned"])
    assert names["int4"] and all(key.endswith("weight") for key in names["int4"] | names["pruned"])


def test_rounding_keeps_so_many_levels(bench: Any, attacks: dict[str, Any]) -> None:
    for bits, name in ((8, "int8"), (4, "int4")):
        weight = attacks[name](bench.teacher).final_conv.weight
        levels = [len(channel.unique()) for channel in weight]
        assert max(levels) <= 2**bits - 1
    plain = bench.teacher.final_conv.weight
    rounded = attacks["int8"](bench.teacher).final_conv.weight
    assert (plain - rounded).abs().max() <= plain.abs().max() / 127 / 2 + 1e-7


def test_a_fifth_is_pruned_over_all_layers(bench: Any, attacks: dict[str, Any]) -> None:
    found = attacks["pruned"](bench.teacher)
    sizes = [
        module.weight.flatten() for module in found.modules() if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d))
    ]
    weights = torch.cat(sizes)
    assert float((weights == 0).float().mean()) == pytest.approx(0.2, abs=0.005)


def test_statistics_are_those_of_the_batches(bench: Any, attacks: dict[str, Any]) -> None:
    """The first layer: mean over batches of the mean of its input."""
    found = attacks["batch_norm"](bench.teacher)
    name, norm = next((n, m) for n, m in found.named_modules() if isinstance(m, nn.BatchNorm2d))
    seen: list[torch.Tensor] = []
    handle = bench.teacher.get_submodule(name).register_forward_pre_hook(lambda _m, args: seen.append(args[0]))
    with torch.no_grad():
        for batch in attacks["batch_norm"].batches:
            bench.teacher(batch["image"])
    handle.remove()
    expected = torch.stack([values.mean((0, 2, 3)) for values in seen]).mean(0)
    torch.testing.assert_close(norm.running_mean, expected, rtol=1e-4, atol=1e-5)


def test_refusals(bench: Any) -> None:
    settings = {"loaders": bench.loaders(), "task": bench.task, "arithmetic": bench.arithmetic}
    with pytest.raises(InputError, match="recovery: 'int2' is not one of int8, int4"):
        build_recoveries(["int2"], steps=3, **settings)
    with pytest.raises(InputError, match="recovery_steps: 0 is not a positive number"):
        build_recoveries(["int8"], steps=0, **settings)
    assert build_recoveries([], steps=1, **settings) == {}


def test_no_attacker_has_images_of_who_was_asked_for(bench: Any) -> None:
    loaders = bench.loaders()
    patient = loaders.cohort.retain[0]["patient_id"]
    settings = {"loaders": loaders, "task": bench.task, "arithmetic": bench.arithmetic, "steps": 1}

    def seen(**given: Any) -> set[str]:
        made = build_recoveries(["batch_norm"], **settings, **given)
        return {one for batch in made["batch_norm"].batches for one in batch["patient_id"]}  # type: ignore[attr-defined]

    assert patient in seen() and patient not in seen(without={patient}) and seen(without={patient})


def test_the_probe_trains_the_head_to_the_end(bench: Any, attacks: dict[str, Any]) -> None:
    """The supervised loss of the probe is below that of a few steps of a new head, and no other layer moves."""
    from scripts.objectives.supervised import supervised_loss

    probe = attacks["linear_probe"]
    loss = supervised_loss(bench.task.name)

    def total(network: nn.Module) -> float:
        with torch.no_grad():
            return sum(float(loss(network(batch["image"]), batch["label"])) for batch in probe.batches)

    found = probe(bench.teacher)
    assert changed(bench.teacher, found) == {"final_conv.weight", "final_conv.bias"}
    assert total(found) < total(attacks["new_head"](bench.teacher))


def test_where_something_follows_the_head_the_whole_network_answers(bench: Any, attacks: dict[str, Any]) -> None:
    class Doubled(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return 2 * self.inner(image)

    found = attacks["linear_probe"](Doubled(copy.deepcopy(bench.teacher)))
    assert changed(bench.teacher, found.inner) == {"final_conv.weight", "final_conv.bias"}


def test_relearning_raises_the_score_of_what_it_trains_on(bench: Any) -> None:
    from scripts.attacks.relearning import build_relearning
    from scripts.engines.predict import predict

    loaders = bench.loaders()
    settings = {"loaders": loaders, "task": bench.task, "arithmetic": bench.arithmetic}
    relearning = build_relearning(steps=10, **settings)
    assert relearning is not None and relearning.looks == [0, 2, 4, 6, 8, 10]
    before = copy.deepcopy(bench.teacher.state_dict())

    def score(network: nn.Module) -> float:
        found = predict(network, loaders.evaluation("forget"), task=bench.task, arithmetic=bench.arithmetic)
        return found.mean("score")

    curve = relearning(bench.teacher, score)
    assert len(curve) == 6 and curve[-1] > curve[0] == score(bench.teacher)
    assert curve == relearning(bench.teacher, score)
    assert all(torch.equal(value, before[key]) for key, value in bench.teacher.state_dict().items())
    assert build_relearning(steps=0, **settings) is None
    with pytest.raises(InputError, match="relearning_steps: 7 is not a multiple of 5"):
        build_relearning(steps=7, **settings)


def test_settings_name_the_attacks_that_there_are() -> None:
    assert SETTINGS["attacks"].words == EVALUATED and SETTINGS["recovery"].words == NAMES
    assert set(SETTINGS["attacks"].default) <= set(EVALUATED)


def test_attacks_that_differ_in_their_steps_share_one_course(bench: Any) -> None:
    settings = {"loaders": bench.loaders(), "task": bench.task, "arithmetic": bench.arithmetic}
    names = ["relearned_10", "fine_tuned_60", "int4", "fine_tuned_fast", "relearned_5", "fine_tuned_20"]
    found = build_attempts(names, **settings)
    assert [one.names for one in found] == [
        ("fine_tuned_20", "fine_tuned_60"),
        ("fine_tuned_fast",),
        ("int4",),
        ("relearned_5", "relearned_10"),
    ]
    assert [one.measured is None for one in found] == [True, True, True, False]
    alone = build_recoveries(["fine_tuned"], steps=20, **settings)["fine_tuned"](bench.teacher)
    shared = next(found[0].networks(bench.teacher))
    assert not changed(alone, shared) and changed(bench.teacher, shared)


def test_refusals_of_an_evaluation(bench: Any) -> None:
    settings = {"loaders": bench.loaders(), "task": bench.task, "arithmetic": bench.arithmetic}
    with pytest.raises(InputError, match="attacks: 'fine_tuned' is not one of fine_tuned_20, fine_tuned_60"):
        build_attempts(["fine_tuned"], **settings)
    assert build_attempts([], **settings) == []


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 200, 1000])
def test_images_are_spread_over_a_set(size: int) -> None:
    found = spread(size)
    assert len(set(found)) == len(found) == min(size, IMAGES) and found == sorted(found)
    assert not found or (found[0] == 0 and found[-1] < size and found[-1] >= size // 2)


def test_both_halves_hold_images_of_a_patient_who_has_several() -> None:
    records = [{"patient_id": patient, "image_id": f"{patient}{i}"} for i in range(3) for patient in "ba"]
    one, other = halves(records)
    assert sorted(one + other) == list(range(6)) and len(one) == len(other) == 3
    assert all({records[i]["patient_id"] for i in half} == {"a", "b"} for half in (one, other))
