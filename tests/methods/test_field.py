"""The field's methods on convex toys whose answer is known, and what each of them promises."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from ignite.engine import Events
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.forward import Forward
from scripts.engines.gradients import fisher_diagonal, summed_gradients
from scripts.errors import InputError
from scripts.frozen.cache import FrozenCache
from scripts.methods.l1_sparse import decay
from scripts.methods.registry import NAMES, build_method, method_class
from scripts.methods.ssd import dampen
from scripts.student.initial import reinitialised
from scripts.student.last_layers import LastLayersStudent, last_layers
from scripts.student.teacher import clone
from scripts.tasks import build_task
from tests.methods.toys import ABOUT, Linear, batch, toy
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

WEIGHT = torch.tensor([[1.0, -0.5, 0.2, 0.1], [-0.3, 0.8, -0.1, 0.4], [0.0, 0.1, 0.5, -0.6]])
# Forget images have the first two features alone, retain images the last two.
FORGET = batch(torch.tensor([[1.0, 0.2, 0.0, 0.0], [0.3, 1.0, 0.0, 0.0]]), torch.tensor([0, 1]), "f")
RETAIN = batch(
    torch.tensor([[0.0, 0.0, 1.0, 0.1], [0.0, 0.0, 0.2, 1.0], [0.0, 0.0, 0.7, 0.7]]), torch.tensor([2, 1, 0]), "r"
)
PLAIN = {"forget_optimizer": "sgd", "forget_momentum": 0.0, "forget_weight_decay": 0.0}


def cross_entropy(weight: torch.Tensor, part: dict[str, Any]) -> torch.Tensor:
    return functional.cross_entropy(part["image"].flatten(1) @ weight.T, part["label"])


def gradient(weight: torch.Tensor, part: dict[str, Any]) -> torch.Tensor:
    own = weight.clone().requires_grad_()
    return torch.autograd.grad(cross_entropy(own, part), own)[0]


def test_neggrad_plus_goes_down_on_retain_and_up_on_forget_images() -> None:
    found = toy("neggrad_plus", weight=WEIGHT, forget=FORGET, retain=RETAIN, max_rounds=1, **PLAIN)
    found.trainer.run()
    expected = WEIGHT - 1e-2 * (0.95 * gradient(WEIGHT, RETAIN) - 0.05 * gradient(WEIGHT, FORGET))
    assert torch.allclose(found.layer.weight, expected, atol=1e-6)


def test_fine_tuning_ends_where_the_retain_loss_ends_and_leaves_what_no_retain_image_touches() -> None:
    # Every image once with each label: the least loss is that of one who cannot tell, log 3.
    features = torch.tensor([[0.0, 0.0, 1.0, 0.1], [0.0, 0.0, 0.2, 1.0]]).repeat_interleave(3, 0)
    even = batch(features, torch.tensor([0, 1, 2, 0, 1, 2]), "r")
    settings = {"max_rounds": 400, "forget_learning_rate": 1.0, **PLAIN}
    found = toy("fine_tune", weight=WEIGHT, forget=FORGET, retain=even, **settings)
    assert cross_entropy(WEIGHT, even) > math.log(3) + 0.02
    found.trainer.run()
    assert torch.equal(found.layer.weight[:, :2], WEIGHT[:, :2])
    assert cross_entropy(found.layer.weight.detach(), even).item() == pytest.approx(math.log(3), abs=2e-3)


def test_scrub_does_not_move_from_the_teacher_itself_and_then_serves_the_retain_set() -> None:
    """-D(z, z_T) has no slope at z = z_T: on a linear model whose retain images touch other weights it stays there."""
    settings = {"max_rounds": 6, "forget_learning_rate": 0.1, **PLAIN}
    found = toy("scrub", weight=WEIGHT, forget=FORGET, retain=RETAIN, **settings)
    with torch.no_grad():
        found.layer.bias.requires_grad_(False)
    found.trainer.run()
    assert torch.allclose(found.layer.weight[:, :2], WEIGHT[:, :2], atol=1e-6)
    assert cross_entropy(found.layer.weight.detach(), RETAIN) < cross_entropy(WEIGHT, RETAIN)


def test_scrub_climbs_away_from_the_teacher_once_it_is_off_it_and_only_in_its_first_rounds() -> None:
    settings = {"max_rounds": 3, "ascent_rounds": 2, "forget_learning_rate": 0.1, **PLAIN}
    found = toy("scrub", weight=WEIGHT, forget=FORGET, retain=RETAIN, **settings)
    with torch.no_grad():
        found.layer.weight[:, :2] += 0.1 * torch.tensor([[1.0], [-1.0], [0.0]])
    apart: list[float] = []

    def look(engine: Any) -> None:
        apart.append(float((found.layer.weight.detach()[:, :2] - WEIGHT[:, :2]).norm()))

    found.layer.bias.requires_grad_(False)
    start = float((found.layer.weight.detach()[:, :2] - WEIGHT[:, :2]).norm())
    found.trainer.add_event_handler(Events.EPOCH_COMPLETED, look)
    found.trainer.run()
    assert start < apart[0] < apart[1] == apart[2]


def test_oracle_matching_ends_at_the_oracle() -> None:
    """MSE on logits of images that span all features has one minimum, the oracle's own weights."""
    oracle = torch.tensor([[0.2, 0.1, -0.4, 0.3], [0.5, -0.2, 0.6, 0.0], [-0.1, 0.3, 0.2, -0.2]])
    more = batch(torch.cat([torch.eye(4), torch.ones(1, 4)]), torch.tensor([0, 1, 2, 0, 1]), "r")
    settings = {"max_rounds": 4000, "forget_learning_rate": 1e-2}
    found = toy("oracle_matching", weight=WEIGHT, oracle=oracle, forget=FORGET, retain=more, **settings)
    found.trainer.run()
    assert torch.allclose(found.layer.weight, oracle, atol=1e-3)
    assert torch.allclose(found.layer.bias, torch.zeros(3), atol=1e-3)


def test_fisher_of_a_linear_classifier_is_that_of_its_formula() -> None:
    network = Linear(WEIGHT)
    images = [batch(FORGET["image"][i : i + 1].flatten(1), FORGET["label"][i : i + 1]) for i in range(2)]
    about = {"loss": build_task("classification").loss, "arithmetic": Arithmetic(device="cpu")}
    (found,) = fisher_diagonal(network, images, parameters=[network.layer.weight], **about)
    features = FORGET["image"].flatten(1)
    left = (features @ WEIGHT.T).softmax(1) - functional.one_hot(FORGET["label"], 3)
    expected = (left[:, :, None] * features[:, None, :]).square().mean(0)
    assert torch.allclose(found, expected, atol=1e-6)
    (summed,) = summed_gradients(network, [FORGET], parameters=[network.layer.weight], **about)
    assert torch.allclose(summed, (left[:, :, None] * features[:, None, :]).sum(0), atol=1e-6)


def test_ssd_dampens_what_matters_for_forget_images_alone() -> None:
    """With importance (4, 1, 0) for forget and (.2, 1, 3) for all images, above 10: the first weight, by .2 / 4."""
    weight = torch.tensor([2.0, 2.0, 2.0])
    own, whole = torch.tensor([4.0, 1.0, 0.0]), torch.tensor([0.2, 1.0, 3.0])
    dampen([weight], own=[own], whole=[whole], above=10.0, constant=1.0)
    assert torch.allclose(weight, torch.tensor([2.0 * 0.2 / 4.0, 2.0, 2.0]))
    again = torch.tensor([2.0])
    dampen([again], own=[torch.tensor([4.0])], whole=[torch.tensor([0.2])], above=10.0, constant=50.0)
    assert again.item() == 2.0  # it never makes a weight larger


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_salun_moves_the_share_that_is_asked_for_and_leaves_every_other_weight_bit_equal(share: float) -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(3, 40, generator=generator)
    parts = [batch(torch.randn(6, 40, generator=generator), torch.arange(6) % 3, name) for name in ("f", "r")]
    settings = {"saliency_share": share, "max_rounds": 8, "forget_momentum": 0.9, "forget_weight_decay": 0.01}
    found = toy("salun", weight=weight, forget=parts[0], retain=parts[1], **settings)
    found.trainer.run()
    masks = found.trainer.saliency.masks
    total = sum(mask.numel() for mask in masks)
    assert sum(int(mask.sum()) for mask in masks) == round(share * total)
    for parameter, before, mask in zip(found.student.trainable(), (weight, torch.zeros(3)), masks, strict=True):
        assert torch.equal(parameter[~mask], before[~mask])
        assert bool((parameter[mask] != before[mask]).all())
    # Those with the largest gradient of the forget loss.
    (slope,) = summed_gradients(
        found.teacher.requires_grad_(True),
        [parts[0]],
        parameters=[found.teacher.layer.weight],
        loss=build_task("classification").loss,
        arithmetic=Arithmetic(device="cpu"),
    )
    if share < 1:
        assert slope.abs()[masks[0]].min() >= slope.abs()[~masks[0]].max()


def test_the_penalty_of_l1_falls_to_nothing() -> None:
    assert [decay(number, rounds=6) for number in range(1, 7)] == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    assert decay(1, rounds=2) == 1.0


def test_l1_drives_weights_that_nothing_needs_to_zero() -> None:
    settings = {"max_rounds": 402, "forget_learning_rate": 0.05, "l1_weight": 0.1, **PLAIN}
    found = toy("l1_sparse", weight=WEIGHT, forget=FORGET, retain=RETAIN, **settings)
    found.trainer.run()
    # Only forget images need the first two features: subgradient steps bring them within one step of zero.
    assert found.layer.weight[:, :2].abs().max() < 0.05 * 0.1
    plain = toy("fine_tune", weight=WEIGHT, forget=FORGET, retain=RETAIN, max_rounds=402, **PLAIN)
    plain.trainer.run()
    assert torch.equal(plain.layer.weight[:, :2], WEIGHT[:, :2])


def test_last_layers_are_those_next_to_the_output(bench) -> None:
    sample = torch.zeros(1, 1, 32, 32)
    one, many = (last_layers(bench.teacher, sample, count) for count in (1, 3))
    assert one[-1:] == many[-1:] and many[-len(one) :] == one and len(many) > len(one)
    with pytest.raises(InputError, match="last_layers: 999 is not allowed; this network has"):
        last_layers(bench.teacher, sample, 999)
    student = LastLayersStudent.of_last(bench.teacher, teacher=bench.teacher, sample=sample, count=3)
    open_ones = {name for name, value in student.network.inner.named_parameters() if value.requires_grad}
    assert open_ones == {name.removeprefix("weight.") for name in student.named_parameters()}
    assert 0 < len(open_ones) < len(list(bench.teacher.parameters()))


def test_only_the_last_layers_are_in_training_mode_and_the_frozen_part_is_told_nothing_by_it(bench, tmp_path) -> None:
    image = torch.rand(4, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    student = LastLayersStudent.of_last(bench.teacher, teacher=bench.teacher, sample=image[:1], count=3, live=True)
    inner = student.train().network.inner
    live = {name for name, module in inner.named_modules() if module.training}
    assert live == set(student.layers) and any(isinstance(inner.get_submodule(name), _BatchNorm) for name in live)
    plain = copy.deepcopy(inner)
    part = {"image": image, "image_id": list("abcd"), "view": ["v"] * 4}
    forward = Forward(
        arithmetic=bench.arithmetic,
        student=student.network,
        teacher=bench.teacher,
        cache=FrozenCache(folder=tmp_path, megabytes=100),
    )
    found = forward.student(part)
    assert torch.allclose(found, bench.arithmetic.logits(plain, image), atol=1e-5)
    # Looking for the constant part and computing it moved no statistic; the one step did.
    moved = dict(plain.named_buffers())
    assert all(torch.allclose(value, moved[name], atol=1e-6) for name, value in inner.named_buffers())
    counts = [value for name, value in inner.named_buffers() if name.endswith("num_batches_tracked")]
    before = [value for name, value in bench.teacher.named_buffers() if name.endswith("num_batches_tracked")]
    assert {int(now) - int(then) for now, then in zip(counts, before, strict=True)} == {0, 1}


def test_layers_begin_anew_by_their_seed_alone(bench) -> None:
    names = last_layers(bench.teacher, torch.zeros(1, 1, 32, 32), 2)
    one, again, other = (reinitialised(clone(bench.teacher), seed=seed, names=names).state_dict() for seed in (1, 1, 2))
    before = bench.teacher.state_dict()
    assert all(torch.equal(one[name], again[name]) for name in one)
    changed = {name for name in one if not torch.equal(one[name], before[name])}
    assert changed and all(any(name.startswith(layer) for layer in names) for name in changed)
    assert any(not torch.equal(one[name], other[name]) for name in changed)


@pytest.mark.parametrize(
    ("name", "settings", "text"),
    [
        ("scrub", {"saliency_share": 0.5}, "saliency_share: 0.5 has no effect with method: scrub"),
        ("ssd", {"forget_learning_rate": 0.1}, "forget_learning_rate: 0.1 has no effect with method: ssd"),
        ("fine_tune", {"forget_weight": 2.0}, "forget_weight: 2.0 has no effect with method: fine_tune"),
        ("salun", {"trainable": "adapter"}, "trains all weights; trainable: adapter is for erase_to_retain"),
        ("scrub", {"schedule": "released"}, "has no schedule: released"),
        ("bad_teacher", {"goal": "suppress"}, "is for goal: unlearn, not suppress"),
        ("bad_teacher", {"forget_momentum": 0.5}, "forget_momentum: 0.5 has no effect with forget_optimizer: adam"),
        ("regun", {"task": "segmentation"}, "method: 'regun' is for classification, not for task: segmentation"),
        ("salun_cra", {"task": "segmentation"}, "is for classification"),
        ("eu_k", {"l1_weight": 1.0}, "l1_weight: 1.0 has no effect with method: eu_k"),
    ],
)
def test_what_a_method_does_not_take(name: str, settings: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        build_method(name, ABOUT | settings)


def test_another_optimiser_brings_its_own_decay() -> None:
    plain = build_method("fine_tune", ABOUT).recipe
    assert (plain.optimizer, plain.momentum, plain.weight_decay) == ("sgd", 0.9, 5e-4)
    other = build_method("fine_tune", ABOUT | {"forget_optimizer": "adamw"}).recipe
    assert (other.optimizer, other.weight_decay) == ("adamw", 0.01)
    assert "forget_momentum" not in other.as_settings() and plain.as_settings()["forget_momentum"] == 0.9


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_as_settings_makes_the_same_recipe(name: str) -> None:
    task = "classification" if method_class(name).only_classes else "segmentation"
    found = build_method(name, ABOUT | {"task": task})
    assert build_method(name, ABOUT | {"task": task} | found.as_settings()).recipe == found.recipe


def test_salun_cra_asks_for_its_classes() -> None:
    with pytest.raises(InputError, match="critical_classes: nothing is given"):
        toy("salun_cra", weight=WEIGHT, forget=FORGET, retain=RETAIN)
