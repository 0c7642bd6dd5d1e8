"""Segmentations of several structures against the binary one, scikit-learn and sums by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scripts.errors import InputError
from scripts.tasks import build_task
from scripts.tasks.overlap import boundary_band
from sklearn.metrics import f1_score
from torch.nn import functional

BINARY, CLASSES, LABELS = (
    build_task(name) for name in ("segmentation", "multiclass_segmentation", "multilabel_segmentation")
)


def noisy(structures: int, *, seed: int = 0, dims: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (4, S, ...) and a square in each channel, apart from each other."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.zeros(4, structures, *[24] * dims)
    for k in range(structures):
        label[(slice(None), k, slice(2 + 8 * k, 8 + 8 * k), slice(3, 15), *[slice(2, 12)] * (dims - 2))] = 1
    return torch.randn(label.shape, generator=generator) * 3 + 4 * label - 2, label


def with_background(z: torch.Tensor) -> torch.Tensor:
    """The logits of two classes whose second has the probability sigma(z)."""
    return torch.cat([torch.zeros_like(z), z], 1)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("task", [CLASSES, LABELS], ids=lambda task: task.name)
def test_of_one_structure_it_is_the_binary_one(task, dims: int) -> None:
    z, label = noisy(1, dims=dims)
    logits = with_background(z) if task is CLASSES else z
    found, own = task.measure(logits, label), BINARY.measure(z, label)
    assert found.keys() == own.keys()
    for name, values in own.items():
        assert found[name].tolist() == pytest.approx(values.tolist(), rel=1e-4), name
    assert torch.equal(task.prediction(logits), BINARY.prediction(z))
    assert torch.allclose(task.answer(logits), BINARY.answer(z), atol=1e-5)
    assert torch.allclose(task.void(logits), BINARY.void(z), atol=1e-5)
    assert torch.allclose(task.presence(logits), BINARY.presence(z), atol=1e-6)
    for bound in (0.0, 0.99):
        suppressed = task.suppression(logits, label, None, bound=bound)
        assert suppressed.tolist() == pytest.approx(BINARY.suppression(z, label, None, bound=bound).tolist(), rel=1e-4)
    teacher = z.roll(1, 0)
    soft = teacher if task is LABELS else with_background(teacher)
    own_soft = BINARY.distil(z, teacher, temperature=2.0)
    if task is CLASSES:  # a divergence has no entropy of the teacher in it
        p = torch.sigmoid(teacher / 2)
        own_soft = own_soft - 4 * functional.binary_cross_entropy(p, p)
    assert task.distil(logits, soft, temperature=2.0).item() == pytest.approx(own_soft.item(), rel=1e-4)
    stacked = torch.stack([logits, soft])
    mean = task.activate(task.mean_of(stacked)).sum(1) if task is LABELS else task.activate(task.mean_of(stacked))[:, 1]
    assert torch.allclose(mean, (torch.sigmoid(z) + torch.sigmoid(teacher))[:, 0] / 2, atol=1e-5)


def test_the_score_of_one_structure() -> None:
    z, label = noisy(1)
    assert LABELS.score(z, label).tolist() == pytest.approx(BINARY.score(z, label).tolist())
    assert CLASSES.score(with_background(z), label).tolist() == pytest.approx(BINARY.score(z, label).tolist(), rel=1e-4)


@pytest.mark.parametrize("task", [CLASSES, LABELS], ids=lambda task: task.name)
def test_each_structure_and_their_mean(task) -> None:
    z, label = noisy(2)
    logits = torch.cat([torch.zeros_like(z[:, :1]), z], 1) if task is CLASSES else z
    found = task.measure(logits, label, surface=False)
    predicted = task.prediction(logits)
    for k in (0, 1):
        for i in range(len(z)):
            true = label[i, k].flatten().numpy() > 0.5
            own = f1_score(true, predicted[i, k].flatten().numpy() > 0.5)
            assert found[f"dice_{k + 1}"][i].item() == pytest.approx(own)
    assert found["dice"].tolist() == pytest.approx(((found["dice_1"] + found["dice_2"]) / 2).tolist())
    for name in ("dice", "dice_1", "dice_2"):
        margin = task.margin(name)
        assert margin is not None and margin.loss == 0.02
    assert task.margin("iou_1") is None
    assert {name for name in found if task.margin(name) is not None} == set(task.guarded(2))


def test_a_structure_that_is_not_there_is_left_out_of_what_is_undefined() -> None:
    z, label = noisy(2)
    label[:, 1] = 0
    found = LABELS.measure(z, label, surface=False)
    assert found["false_negative_rate_2"].isnan().all()
    assert found["false_negative_rate"].tolist() == pytest.approx(found["false_negative_rate_1"].tolist())


def test_the_loss_of_classes_by_hand() -> None:
    z, label = noisy(2)
    logits = torch.cat([torch.full_like(z[:, :1], 0.3), z], 1)
    p = logits.softmax(1)
    truth = torch.cat([1 - label.sum(1, keepdim=True), label], 1)
    cross_entropy = -(truth * p.log()).sum(1).flatten(1).mean(1)
    both, sizes = (p * truth).flatten(2).sum(2), (p + truth).flatten(2).sum(2)
    dice = (1 - (2 * both + 1) / (sizes + 1))[:, 1:].mean(1)
    assert CLASSES.loss(logits, label).tolist() == pytest.approx((dice + cross_entropy).tolist(), rel=1e-4)
    assert CLASSES.fit(logits, label).item() == pytest.approx(cross_entropy.mean().item(), rel=1e-4)


def test_the_loss_of_labels_is_the_mean_of_the_binary_ones() -> None:
    z, label = noisy(3)
    own = torch.stack([BINARY.loss(z[:, k : k + 1], label[:, k : k + 1]) for k in range(3)]).mean(0)
    assert LABELS.loss(z, label).tolist() == pytest.approx(own.tolist(), rel=1e-5)


def test_the_score_of_classes_by_a_slow_implementation() -> None:
    z, label = noisy(2)
    logits = torch.cat([torch.zeros_like(z[:, :1]), z], 1)
    p = logits.double().softmax(1).numpy()
    truth = torch.cat([1 - label.sum(1, keepdim=True), label], 1)
    band = torch.stack([boundary_band(label[:, k : k + 1]) for k in range(2)]).any(0)[:, 0].numpy()
    for i in range(len(z)):
        parts: list[list[float]] = [[], [], [], []]
        for place in np.ndindex(24, 24):
            own = int(truth[(i, slice(None), *place)].argmax())
            q = p[(i, own, *place)]
            value = float(np.clip(np.log(q / (1 - q)), -8, 8))
            parts[own].append(value)
            if band[(i, *place)]:
                parts[3].append(value)
        assert CLASSES.score(logits, label)[i].item() == pytest.approx(
            np.mean([np.mean(one) for one in parts]), abs=1e-4
        )


def test_nothing_is_preferred_by_equal_logits() -> None:
    even = torch.zeros(2, 3, 8, 8)
    assert CLASSES.uniform(even).item() == pytest.approx(0, abs=1e-6)
    assert LABELS.uniform(even).item() == pytest.approx(math.log(2))
    assert CLASSES.ceiling(even) == pytest.approx(0.5 + math.log(3))


def test_drawn_targets_keep_the_size_of_each_structure() -> None:
    _, label = noisy(2)
    for task in (CLASSES, LABELS):
        drawn = task.random_target(label[0], outputs=task.outputs(2), generator=torch.Generator().manual_seed(0))
        assert drawn.shape == label[0].shape and drawn.flatten(1).sum(1).tolist() == label[0].flatten(1).sum(1).tolist()


def test_logits_of_another_shape_are_refused() -> None:
    with pytest.raises(InputError, match=r"needs logits \(N, 1 \+ S, H, W\[, D\]\)"):
        CLASSES.loss(torch.zeros(2, 1, 8, 8), torch.zeros(2, 1, 8, 8))
    with pytest.raises(InputError, match=r"needs logits \(N, S, H, W\[, D\]\)"):
        LABELS.loss(torch.zeros(2, 3), torch.zeros(2, 3))
