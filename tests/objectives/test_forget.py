"""Every forget loss against its closed form, with its bounds and gradients."""

from __future__ import annotations

import math

import pytest
import torch
from scripts.errors import InputError
from scripts.objectives.base import ForgetBatch
from scripts.objectives.registry import FORGET, build_forget_objective

SEGMENTATION, CLASSIFICATION = "segmentation", "classification"
UNBOUNDED = ("negative", "contradiction")  # losses of the field that go down without end
CLASSES, LABELS = "multiclass_segmentation", "multilabel_segmentation"
RECONSTRUCTION = "reconstruction"
SHAPES = {SEGMENTATION: (3, 1, 12, 10), CLASSIFICATION: (3, 4), CLASSES: (3, 3, 12, 10), LABELS: (3, 2, 12, 10)}
SHAPES[RECONSTRUCTION] = (3, 1, 16, 14)


def image(*values: float) -> torch.Tensor:
    """One image of a row of pixels, (1, 1, 1, n)."""
    return torch.tensor(values, dtype=torch.float32).reshape(1, 1, 1, -1)


def softplus(z: float) -> float:
    return math.log1p(math.exp(z))


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def bce(z: float, y: float) -> float:
    return softplus(z) - y * z


def batches(task: str) -> tuple[torch.Tensor, ForgetBatch]:
    generator = torch.Generator().manual_seed(1)
    shape = SHAPES[task]
    logits, teacher, reference = (2 * torch.randn(shape, generator=generator) for _ in range(3))
    label = torch.tensor([0, 3, 1]) if task == CLASSIFICATION else (teacher > 0.5).float()
    if task == CLASSES:
        label = torch.stack([(teacher.argmax(1) == k).float() for k in (1, 2)], 1)
    if task == RECONSTRUCTION:
        label = torch.rand(shape, generator=generator)
    return logits, ForgetBatch(
        label=label, teacher_logits=teacher, reference_logits=reference, generator=generator, sample_index=(5, 6, 9)
    )


def every() -> list[tuple[str, str]]:
    return [(name, task) for name, kind in sorted(FORGET.items()) for task in kind.tasks()]


def test_background_is_the_released_loss():
    z = image(-1.0, 0.0, 2.0)
    expected = 3.0 * (softplus(-1) + softplus(0) + softplus(2)) / 3
    assert build_forget_objective("background", SEGMENTATION)(z, ForgetBatch()).item() == pytest.approx(expected)


def test_foreground_background_weighs_the_teachers_foreground_five_times():
    z, edge = image(-1.0, 0.0, 2.0), math.log(0.3 / 0.7)
    teacher = image(edge - 0.01, edge + 0.01, 5.0)
    expected = 5.0 * (softplus(-1) + 5 * softplus(0) + 5 * softplus(2)) / 3
    loss = build_forget_objective("foreground_background", SEGMENTATION)
    assert loss(z, ForgetBatch(teacher_logits=teacher)).item() == pytest.approx(expected)


def test_foreground_acts_on_true_or_teacher_foreground_of_images_above_the_bound():
    label = torch.cat([image(1, 1, 0, 0), image(1, 1, 0, 0), image(0, 0, 0, 0)])
    teacher = torch.cat([image(9, -9, 9, -9), image(9, -9, -9, -9), image(-9, -9, -9, -9)])
    logits = torch.cat([image(3, 2, -1, -4), image(3, -2, -1, 7), image(1, 1, 1, 1)]).requires_grad_()
    loss = build_forget_objective("foreground", SEGMENTATION, bound=0.4)
    value = loss(logits, ForgetBatch(label=label, teacher_logits=teacher))
    # IoU 1: on, three pixels. IoU 1/3: off. No foreground at all: nothing to take away.
    assert value.item() == pytest.approx((softplus(3) + softplus(2) + softplus(-1)) / 3 / 3)
    value.backward()
    moved = (logits.grad != 0).flatten(1)
    assert moved.tolist() == [[True, True, True, False], [False] * 4, [False] * 4]


def test_foreground_switches_at_the_bound_itself():
    logits, label = image(1.0, -1.0), image(1, 1)  # IoU 1/2
    batch = ForgetBatch(label=label)
    assert build_forget_objective("foreground", SEGMENTATION, bound=0.5)(logits, batch).item() == 0
    assert build_forget_objective("foreground", SEGMENTATION, bound=0.49)(logits, batch).item() > 0


def test_foreground_stands_on_the_teacher_where_there_is_no_truth():
    teacher = image(4, 4, -4)
    loss = build_forget_objective("foreground", SEGMENTATION)
    assert loss(image(1, 1, 1), ForgetBatch(teacher_logits=teacher)).item() == pytest.approx(softplus(1))
    with pytest.raises(InputError, match="needs"):
        loss(image(1, 1, 1), ForgetBatch())


def test_foreground_of_a_classifier():
    logits = torch.tensor([[2.0, 0.0, 0.0], [-3.0, 0.0, 0.0]], requires_grad=True)
    loss = build_forget_objective("foreground", CLASSIFICATION, bound=0.4)
    value = loss(logits, ForgetBatch(label=torch.tensor([0, 0])))
    probability = math.exp(2) / (math.exp(2) + 2)
    assert value.item() == pytest.approx(-math.log(1 - probability) / 2)
    value.backward()
    assert logits.grad[0, 0] > 0 and not logits.grad[1].any()
    by_teacher = loss(logits, ForgetBatch(teacher_logits=torch.tensor([[1.0, 0, 0], [1.0, 0, 0]])))
    assert by_teacher.item() == pytest.approx(value.item())


def test_entropy():
    z = image(-1.0, 3.0)
    expected = (bce(-1, 0.5) + bce(3, 0.5)) / 2
    assert build_forget_objective("entropy", SEGMENTATION)(z, ForgetBatch()).item() == pytest.approx(expected)
    logits = torch.tensor([[1.0, 2.0, 0.0]])
    log_sum = math.log(math.e + math.e**2 + 1)
    divergence = sum(1 / 3 * (math.log(1 / 3) - (value - log_sum)) for value in (1.0, 2.0, 0.0))
    loss = build_forget_objective("entropy", CLASSIFICATION)
    assert loss(logits, ForgetBatch()).item() == pytest.approx(3 * divergence, rel=1e-5)
    assert loss(torch.zeros(2, 5), ForgetBatch()).item() == pytest.approx(0, abs=1e-6)


def test_negative_is_the_supervised_loss_with_its_sign_turned():
    logits, label = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0])
    expected = -(softplus(-2.0) + softplus(1.0)) / 2
    found = build_forget_objective("negative", CLASSIFICATION)(logits, ForgetBatch(label=label))
    assert found.item() == pytest.approx(expected)


def test_contradiction_is_distillation_with_its_sign_turned():
    logits, teacher = torch.tensor([[0.0, 0.0]]), torch.tensor([[math.log(3.0), 0.0]])
    loss = build_forget_objective("contradiction", CLASSIFICATION, temperature=1.0)
    expected = -(0.75 * math.log(1.5) + 0.25 * math.log(0.5))
    assert loss(logits, ForgetBatch(teacher_logits=teacher)).item() == pytest.approx(expected, rel=1e-5)


def test_matching_compares_logits_as_they_are():
    loss = build_forget_objective("matching", CLASSIFICATION)
    assert loss(torch.tensor([[1.0, 3.0]]), ForgetBatch(reference_logits=torch.tensor([[0.0, 1.0]]))).item() == 2.5


def test_a_critical_class_is_drawn_to_no_other():
    """Class 1 is critical: its image is undecided at best, the other one goes to the class that is not its own."""
    logits, label = torch.tensor([[3.0, -1.0], [-1.0, 3.0]], requires_grad=True), torch.tensor([0, 1])
    loss = build_forget_objective("critical_label", CLASSIFICATION, critical_classes=[1])
    value = loss(logits, ForgetBatch(label=label, sample_index=(1, 2)))
    uniform = -(math.log(sigmoid(4)) + math.log(sigmoid(-4))) / 2 - math.log(2)
    assert value.item() == pytest.approx((softplus(4.0) + uniform) / 2, rel=1e-5)
    none = build_forget_objective("critical_label", CLASSIFICATION)(
        logits, ForgetBatch(label=label, sample_index=(1, 2))
    )
    plain = build_forget_objective("random_label", CLASSIFICATION)(
        logits, ForgetBatch(label=label, sample_index=(1, 2))
    )
    assert none.item() == pytest.approx(plain.item())


def test_reference():
    z, reference = image(-1.0, 3.0), image(0.5, -2.0)
    soft = [1 / (1 + math.exp(-value)) for value in (0.5, -2.0)]
    expected = (bce(-1, soft[0]) + bce(3, soft[1])) / 2
    loss = build_forget_objective("imitation", SEGMENTATION)
    assert loss(z, ForgetBatch(reference_logits=reference)).item() == pytest.approx(expected)
    logits, target = torch.tensor([[0.0, 0.0]]), torch.tensor([[math.log(3.0), 0.0]])
    expected = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    loss = build_forget_objective("imitation", CLASSIFICATION)
    assert loss(logits, ForgetBatch(reference_logits=target)).item() == pytest.approx(expected, rel=1e-5)
    assert loss(target + 7, ForgetBatch(reference_logits=target)).item() == pytest.approx(0, abs=1e-6)


def test_ascent_stops_at_its_bound_image_by_image():
    logits = torch.tensor([[0.0, 0.0], [5.0, 0.0], [-5.0, 0.0]], requires_grad=True)
    batch = ForgetBatch(label=torch.tensor([0, 0, 0]))
    value = build_forget_objective("ascent", CLASSIFICATION, loss_bound=1.0)(logits, batch)
    expected = ((1 - math.log(2)) + (1 - softplus(-5)) + 0) / 3
    assert value.item() == pytest.approx(expected, rel=1e-5)
    value.backward()
    assert logits.grad[1, 0] > 0 and not logits.grad[2].any()
    # Without a setting the bound of a classifier is the loss of a guess.
    guess = build_forget_objective("ascent", CLASSIFICATION)(torch.zeros(1, 2), ForgetBatch(label=torch.tensor([0])))
    assert guess.item() == pytest.approx(0, abs=1e-6)


def test_ascent_on_segmentation():
    # Dice with a smoothing of one pixel: 1 - (2 * 1 + 1) / (1 + 1 + 1) = 0 for a sure and right mask.
    right = build_forget_objective("ascent", SEGMENTATION)(image(40, -40), ForgetBatch(label=image(1, 0)))
    assert right.item() == pytest.approx(1.0)
    wrong = build_forget_objective("ascent", SEGMENTATION)(image(-40, 40), ForgetBatch(label=image(1, 0)))
    assert wrong.item() == 0


@pytest.mark.parametrize(("name", "task"), every())
def test_scalar_float32_finite_and_differentiable(name, task):
    logits, batch = batches(task)
    loss = build_forget_objective(name, task, bound=0.0)
    for scale in (0.0, 1.0, 50.0):  # 50: logits of +-100
        z = (logits * scale).requires_grad_()
        value = loss(z, batch)
        value.backward()
        assert value.ndim == 0 and value.dtype == torch.float32
        assert torch.isfinite(value) and torch.isfinite(z.grad).all()
        assert value >= 0 or name in UNBOUNDED


@pytest.mark.parametrize(("name", "task"), every())
def test_bfloat16_logits_are_computed_in_float32(name, task):
    logits, batch = batches(task)
    rounded = logits.bfloat16()
    loss = build_forget_objective(name, task)
    low, full = loss(rounded, batch), loss(rounded.float(), batch)
    assert low.dtype == torch.float32 and torch.equal(low, full)


@pytest.mark.parametrize(("name", "task"), [pair for pair in every() if pair[0] not in ("ascent", "foreground")])
def test_pure_target_losses_can_be_reached_by_descent(name, task):
    logits, batch = batches(task)
    loss, z = build_forget_objective(name, task), logits.clone().requires_grad_()
    before = loss(z, batch).item()
    optimizer = torch.optim.SGD([z], lr=5.0)
    for _ in range(20):
        optimizer.zero_grad()
        loss(z, batch).backward()
        optimizer.step()
    assert loss(z, batch).item() < before


@pytest.mark.parametrize("task", [task for task in SHAPES if task != RECONSTRUCTION])
def test_bounded_losses_come_to_rest(task):
    """Descent on them alone ends at the bound: they cannot destroy the model."""
    logits, batch = batches(task)
    for name in ("foreground", "ascent"):
        loss, z = build_forget_objective(name, task, bound=0.4), logits.clone().requires_grad_()
        optimizer = torch.optim.SGD([z], lr=10.0)
        for _ in range(300):
            optimizer.zero_grad()
            loss(z, batch).backward()
            optimizer.step()
        assert loss(z, batch).item() == 0
        assert z.abs().max() < 60


@pytest.mark.parametrize("name", sorted(FORGET))
def test_shapes_and_tasks_it_is_not_for(name):
    logits, batch = batches(SEGMENTATION)
    if SEGMENTATION in FORGET[name].tasks():
        with pytest.raises(InputError, match="one structure"):
            build_forget_objective(name, SEGMENTATION)(logits.repeat(1, 2, 1, 1), batch)
    else:
        with pytest.raises(InputError, match="not defined for 'segmentation'"):
            build_forget_objective(name, SEGMENTATION)
    if CLASSIFICATION in FORGET[name].tasks():
        logits, batch = batches(CLASSIFICATION)
        with pytest.raises(InputError, match=r"\(N, C\)"):
            build_forget_objective(name, CLASSIFICATION)(logits[:, :1], batch)
    else:
        with pytest.raises(InputError, match="not defined for 'classification'"):
            build_forget_objective(name, CLASSIFICATION)


@pytest.mark.parametrize(
    "name",
    [
        "foreground_background",
        "imitation",
        "matching",
        "ascent",
        "negative",
        "contradiction",
        "noisy_label",
        "random_label",
    ],
)
def test_what_a_batch_lacks_is_named(name):
    logits, _ = batches(SEGMENTATION)
    with pytest.raises(InputError, match=f"{name!r} needs"):
        build_forget_objective(name, SEGMENTATION)(logits, ForgetBatch())


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("background", "weight", 0),
        ("foreground", "bound", 1.5),
        ("foreground", "bound", "a"),
        ("ascent", "loss_bound", -1),
        ("noisy_label", "flip", 2),
        ("noisy_label", "displacement", True),
    ],
)
def test_settings_out_of_range(name, setting, value):
    with pytest.raises(InputError, match=setting):
        build_forget_objective(name, SEGMENTATION, **{setting: value})


def test_volumes():
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(2, 1, 6, 7, 8, generator=generator)
    label = torch.zeros_like(z)
    label[..., 2:5, 2:5, 2:5] = 1
    batch = ForgetBatch(label=label, teacher_logits=z, reference_logits=z, sample_index=(0, 1))
    for name, kind in FORGET.items():
        if SEGMENTATION in kind.tasks():
            assert torch.isfinite(build_forget_objective(name, SEGMENTATION)(z, batch))
