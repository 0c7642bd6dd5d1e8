"""Overlap, distances and membership score of masks against counts by hand and independent implementations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation, binary_erosion
from scripts.tasks import build_task
from scripts.tasks.overlap import boundary_band
from sklearn.metrics import f1_score, jaccard_score, recall_score

TASK = build_task("segmentation")


def logits_of(mask: torch.Tensor) -> torch.Tensor:
    return mask * 6.0 - 3.0


def square(top: int, left: int, *, side: int = 10, size: int = 32, dims: int = 2) -> torch.Tensor:
    mask = torch.zeros(1, 1, *[size] * dims)
    mask[(0, 0, slice(top, top + side), slice(left, left + side), *[slice(5, 15)] * (dims - 2))] = 1
    return mask


def noisy(seed: int = 0, *, shape: tuple[int, ...] = (5, 1, 12, 12)) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator) * 4, (torch.rand(shape, generator=generator) > 0.6).float()


def slow_score(logits: np.ndarray, label: np.ndarray) -> float:
    """The score of one image, pixel by pixel."""
    structure = np.ones((5,) * label.ndim)
    grown, shrunk = binary_dilation(label, structure), binary_erosion(label, structure, border_value=1)
    parts: dict[str, list[float]] = {"foreground": [], "background": [], "band": []}
    for pixel in np.ndindex(label.shape):
        p = 1 / (1 + np.exp(-logits[pixel]))
        q = p if label[pixel] else 1 - p
        value = float(np.clip(np.log(q / (1 - q)), -8, 8))
        parts["foreground" if label[pixel] else "background"].append(value)
        if grown[pixel] and not shrunk[pixel]:
            parts["band"].append(value)
    means = [np.mean(values) for values in parts.values() if values]
    return float(np.mean(means))


def test_counts_by_hand() -> None:
    true, predicted = torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    true[0, 0, 0, :4] = 1  # four pixels
    predicted[0, 0, :2, :3] = 1  # six, three of them true
    found = TASK.measure(logits_of(predicted), true, surface=False)
    assert found["iou"].item() == pytest.approx(3 / 7)
    assert found["dice"].item() == pytest.approx(6 / 10)
    assert found["false_negative_rate"].item() == pytest.approx(1 / 4)
    assert found["empty_mask"].item() == 0
    assert set(found) == set(TASK.measures) - {"hd95", "nsd", "lesion_sensitivity", "false_positive_lesions"}


def test_overlap_is_that_of_scikit_learn() -> None:
    logits, label = noisy()
    found = TASK.measure(logits, label, surface=False)
    for i in range(len(logits)):
        true, predicted = label[i].flatten().numpy() > 0.5, logits[i].flatten().numpy() > 0
        assert found["iou"][i].item() == pytest.approx(jaccard_score(true, predicted))
        assert found["dice"][i].item() == pytest.approx(f1_score(true, predicted))
        assert found["false_negative_rate"][i].item() == pytest.approx(1 - recall_score(true, predicted))


def test_empty_masks() -> None:
    empty, full = torch.zeros(1, 1, 8, 8), square(2, 2, side=4, size=8)
    true, predicted = torch.cat([empty, empty, full]), torch.cat([empty, full, empty])
    found = TASK.measure(logits_of(predicted), true)
    diagonal = float(np.hypot(8, 8))
    assert found["iou"].tolist() == found["dice"].tolist() == found["nsd"].tolist() == [1, 0, 0]
    assert found["hd95"].tolist() == pytest.approx([0, diagonal, diagonal])
    assert found["empty_mask"].tolist() == [1, 0, 1]
    assert found["false_negative_rate"][:2].isnan().all() and found["false_negative_rate"][2] == 1


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("moved", [0, 1, 3])
def test_surface_distances_of_a_moved_square(moved: int, dims: int) -> None:
    found = TASK.measure(logits_of(square(5 + moved, 5, dims=dims, size=24)), square(5, 5, dims=dims, size=24))
    # The two edges across the movement are all `moved` pixels off; the others lie on top of each other.
    assert found["hd95"].item() == pytest.approx(moved, abs=1e-6)
    if moved <= 1:
        assert found["nsd"].item() == pytest.approx(1)
    else:
        assert 0.4 < found["nsd"].item() < 0.9


@pytest.mark.parametrize("shape", [(40, 40), (20, 22, 24)])
def test_distances_are_those_of_surface_distance(shape: tuple[int, ...]) -> None:
    """The independent implementation weighs surface elements by their size: HD95 to a pixel, NSD to some hundredths."""
    import surface_distance

    generator = torch.Generator().manual_seed(7)
    pool = torch.nn.functional.avg_pool2d if len(shape) == 2 else torch.nn.functional.avg_pool3d
    smooth = pool(torch.randn(1, 1, *shape, generator=generator), 9, 1, 4)
    true = (smooth > 0).float()
    predicted = (smooth + 0.8 * pool(torch.randn(1, 1, *shape, generator=generator), 9, 1, 4) > 0).float()
    found = TASK.measure(logits_of(predicted), true)
    distances = surface_distance.compute_surface_distances(
        true[0, 0].numpy() > 0.5, predicted[0, 0].numpy() > 0.5, spacing_mm=[1.0] * len(shape)
    )
    hd95 = surface_distance.compute_robust_hausdorff(distances, 95)
    nsd = surface_distance.compute_surface_dice_at_tolerance(distances, 1.0)
    assert hd95 > 1 and found["hd95"].item() == pytest.approx(hd95, abs=1)
    assert nsd < 0.99 and found["nsd"].item() == pytest.approx(nsd, abs=0.05)


def test_brier_and_calibration_error() -> None:
    from sklearn.metrics import brier_score_loss

    logits, label = noisy(5)
    found = TASK.measure(logits, label, surface=False)
    for i in range(len(logits)):
        p, true = torch.sigmoid(logits[i]).flatten().double().numpy(), label[i].flatten().numpy()
        assert found["brier"][i].item() == pytest.approx(brier_score_loss(true, p), rel=1e-4)
        bins = np.minimum((p * 10).astype(int), 9)
        parts = [np.sum(bins == b) * abs(p[bins == b].mean() - true[bins == b].mean()) for b in set(bins)]
        assert found["calibration_error"][i].item() == pytest.approx(np.sum(parts) / len(p), rel=1e-4)


@pytest.mark.parametrize("dims", [2, 3])
def test_lesions_one_by_one(dims: int) -> None:
    true, predicted = (torch.zeros(2, 1, *[12] * dims) for _ in range(2))
    ends = [slice(0, 2)] * (dims - 2)
    for top in (0, 4, 8):
        true[(0, 0, slice(top, top + 2), slice(0, 3), *ends)] = 1
    predicted[(0, 0, slice(1, 6), slice(1, 2), *ends)] = 1  # one structure over the first two
    predicted[(0, 0, slice(2, 4), slice(8, 10), *ends)] = 1  # and one where nothing is
    predicted[(0, 0, slice(4, 6), slice(10, 12), *ends)] = 1  # that touches it at a corner
    predicted[(1, 0, slice(0, 2), slice(0, 2), *ends)] = 1
    found = TASK.measure(logits_of(predicted), true)
    assert found["lesion_sensitivity"][0].item() == pytest.approx(2 / 3) and found["lesion_sensitivity"][1].isnan()
    assert found["false_positive_lesions"].tolist() == [1, 1]


@pytest.mark.parametrize("dims", [2, 3])
def test_with_a_spacing_distances_are_in_mm(dims: int) -> None:
    true, moved = square(5, 5, dims=dims, size=24), square(8, 5, dims=dims, size=24)
    spacing = torch.tensor([[0.5, 2.0, 2.0][:dims]])
    found = TASK.measure(logits_of(moved), true, spacing=spacing)
    assert found["hd95"].item() == pytest.approx(3 * 0.5, abs=1e-6)
    # Half a millimetre a pixel: edges that are two pixels apart lie within the tolerance of one.
    near = TASK.measure(logits_of(square(7, 5, dims=dims, size=24)), true, spacing=spacing)
    assert near["nsd"].item() == pytest.approx(1) and TASK.measure(logits_of(moved), true)["nsd"].item() < 1
    empty = TASK.measure(logits_of(torch.zeros_like(true)), true, spacing=spacing)
    assert empty["hd95"].item() == pytest.approx(float(np.linalg.norm(24 * spacing[0].numpy())))


def test_surface_dice_of_a_far_square_is_zero() -> None:
    assert TASK.measure(logits_of(square(1, 1, side=5)), square(20, 20, side=5))["nsd"].item() == 0


def test_prediction_is_half_probability() -> None:
    assert TASK.prediction(torch.tensor([-1.0, 0.0, 1e-6])).tolist() == [0, 0, 1]


@pytest.mark.parametrize("shape", [(5, 1, 12, 12), (2, 1, 8, 8, 8)])
def test_score_is_that_of_a_slow_implementation(shape: tuple[int, ...]) -> None:
    logits, _ = noisy(1, shape=shape)
    label = torch.zeros(shape)
    label[:, :, 2:6, 3:8] = 1
    found = TASK.score(logits, label)
    for i in range(len(logits)):
        own = slow_score(logits[i, 0].double().numpy(), label[i, 0].numpy() > 0.5)
        assert found[i].item() == pytest.approx(own, abs=1e-4)


def test_score_is_clipped_and_high_for_members() -> None:
    label = square(5, 5)
    assert TASK.score(label * 200 - 100, label).item() == pytest.approx(8)
    assert TASK.score(100 - label * 200, label).item() == pytest.approx(-8)


def test_parts_that_are_empty_are_left_out_of_the_score() -> None:
    logits, _ = noisy(2, shape=(1, 1, 8, 8))
    for label in (torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8)):
        own = slow_score(logits[0, 0].double().numpy(), label[0, 0].numpy() > 0.5)
        assert TASK.score(logits, label).item() == pytest.approx(own, abs=1e-4)


def test_order_of_the_images_does_not_matter() -> None:
    logits, label = noisy(3)
    order = torch.tensor([3, 1, 4, 0, 2])
    assert torch.equal(TASK.score(logits, label)[order], TASK.score(logits[order], label[order]))


def test_half_precision_is_scored_in_single() -> None:
    logits, label = noisy(4)
    found = TASK.score(logits.bfloat16(), label)
    assert found.dtype == torch.float32
    assert torch.equal(found, TASK.score(logits.bfloat16().float(), label))


def test_band_is_two_pixels_either_side() -> None:
    band = boundary_band(square(10, 10))[0, 0]
    assert band[15].nonzero().flatten().tolist() == [8, 9, 10, 11, 18, 19, 20, 21]


def test_no_measure_of_a_set_as_a_whole() -> None:
    assert TASK.summary([torch.zeros(1)], [torch.zeros(1)]) == {}


@pytest.mark.parametrize("size", [(16, 16), (64, 48), (6, 12, 18)])
def test_an_answer_is_the_mean_probability_of_each_cell(size: tuple[int, ...]) -> None:
    logits = torch.randn(2, 1, *size, generator=torch.Generator().manual_seed(0))
    found = build_task("segmentation").answer(logits)
    cells = 16 if len(size) == 2 else 6
    assert found.shape == (2, cells ** len(size))
    if all(side % cells == 0 for side in size):
        parts = [side // cells for side in size]
        corner = torch.sigmoid(logits[1, 0])[tuple(slice(0, part) for part in parts)].mean()
        assert found[1, 0].item() == pytest.approx(corner.item(), abs=1e-6)
    assert found.mean().item() == pytest.approx(torch.sigmoid(logits).mean().item(), abs=0.05)


def test_overlap_is_that_of_monai_and_scikit_learn() -> None:
    from monai.metrics import compute_dice, compute_iou
    from sklearn.metrics import recall_score

    logits, label = noisy(7)
    found, predicted = TASK.measure(logits, label, surface=False), TASK.prediction(logits)
    torch.testing.assert_close(found["dice"].float(), compute_dice(predicted, label)[:, 0])
    torch.testing.assert_close(found["iou"].float(), compute_iou(predicted, label)[:, 0])
    for i in range(len(logits)):
        recall = recall_score(label[i].flatten().int(), predicted[i].flatten().int())
        assert found["false_negative_rate"][i].item() == pytest.approx(1 - recall)
