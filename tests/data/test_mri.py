"""MR slices: k-space that is left out, subjects as patients, files that are none."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scripts.data import build_source
from scripts.data.mri import Mri, Undersampled
from scripts.data.transforms import preprocessing
from scripts.errors import InputError


def write(folder: Path, anatomy: str, *, count: int = 4, size: int = 32, **changes: Any) -> None:
    draw = np.random.default_rng(len(anatomy))
    rows, columns = np.mgrid[:size, :size] - size / 2
    ball = np.hypot(rows, columns) < size / 3
    images = [(3000 * ball * draw.uniform(0.5, 1) + draw.uniform(0, 300, (size, size))).astype(np.uint16)] * count
    content: dict[str, Any] = {
        "images": np.stack(images),
        "subject": np.array([f"{anatomy}{n // 2}" for n in range(count)]),
    }
    content |= changes
    np.savez(folder / f"{anatomy}_slices.npz", **{key: value for key, value in content.items() if value is not None})


def test_every_slice_is_a_record_of_its_subject_and_anatomy(tmp_path: Path) -> None:
    write(tmp_path, "brain")
    write(tmp_path, "neck", count=6)
    records = build_source("mri", dataset_dir=str(tmp_path)).records()
    assert len(records) == 10
    assert {record["patient_id"] for record in records} == {"brain0", "brain1", "neck0", "neck1", "neck2"}
    assert {record["diagnosis"] for record in records} == {"brain", "neck"}


@pytest.mark.parametrize("kind", ["equispaced", "random"])
def test_what_is_kept_of_k_space_is_kept_exactly(kind: str) -> None:
    image = torch.rand(1, 32, 40, generator=torch.Generator().manual_seed(0))
    step = Undersampled(kind, 4.0, 0.1)
    record = step({"image": image, "label": image, "image_id": "one"})
    again = step({"image": image, "label": image, "image_id": "one"})
    other = step({"image": image, "label": image, "image_id": "other"})
    assert torch.equal(record["label"], image) and record["image"].shape == image.shape
    # The mask follows from the image's name.
    assert torch.equal(record["image"], again["image"]) and not torch.equal(record["image"], other["image"])
    drawn = step.make_mask()
    drawn(torch.view_as_real(torch.fft.fft2(image)))
    assert 0.1 < float(torch.as_tensor(drawn.mask).float().mean()) < 0.45
    # The centre of k-space is kept, and with it the mean; the detail that is left out is missing.
    assert float(record["image"].mean()) == pytest.approx(float(image.mean()), rel=0.1)
    assert float(record["image"].std()) < float(image.std())


@pytest.mark.parametrize("kind", ["equispaced", "random"])
def test_threads_that_prepare_at_once_give_each_slice_its_own_mask(kind: str) -> None:
    step = Undersampled(kind, 4.0, 0.1)
    images = torch.rand(80, 1, 32, 40, generator=torch.Generator().manual_seed(0))
    items = [{"image": one, "label": one, "image_id": str(number)} for number, one in enumerate(images)]
    alone = [step(item)["image"] for item in items]
    with ThreadPoolExecutor(8) as pool:
        together = [record["image"] for record in pool.map(step, items)]
    assert all(torch.equal(one, other) for one, other in zip(alone, together, strict=True))


def test_a_prepared_slice_is_worse_than_its_label_and_in_range(tmp_path: Path) -> None:
    write(tmp_path, "brain")
    source = Mri(dataset_dir=tmp_path, acceleration=4, center_fraction=0.1)
    item = preprocessing(source, image_size=24, normalise="none")(source.records()[0])
    assert item["image"].shape == item["label"].shape == (1, 24, 24)
    assert 0 <= float(item["label"].min()) and float(item["label"].max()) <= 1
    # Intensities stay intensities: no label is cut to 0 and 1.
    assert len(item["label"].unique()) > 100
    assert 0.01 < float((item["image"] - item["label"]).abs().mean()) < 0.5


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"subject": None}, "'subject' is missing"),
        ({"subject": np.array(["a"])}, "a subject for each"),
        ({"images": np.zeros((4, 8, 8), np.complex64)}, "magnitudes"),
        ({"images": np.full((4, 8, 8), -1.0)}, "negative or no numbers"),
        ({"images": np.full((4, 8, 8), np.nan)}, "negative or no numbers"),
    ],
)
def test_files_that_do_not_fit_are_named(tmp_path: Path, changes: dict[str, Any], text: str) -> None:
    write(tmp_path, "brain", **changes)
    with pytest.raises(InputError, match=text) as caught:
        Mri(dataset_dir=tmp_path)
    assert "brain_slices.npz" in str(caught.value)


def test_settings_that_leave_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file <anatomy>_slices.npz"):
        Mri(dataset_dir=tmp_path)
    write(tmp_path, "brain")
    with pytest.raises(InputError, match=r"center_fraction: 0.5 alone is more than acceleration: 4 leaves"):
        Mri(dataset_dir=tmp_path, acceleration=4, center_fraction=0.5)
    with pytest.raises(InputError, match="undersampling: 'spiral' is not one of"):
        Mri(dataset_dir=tmp_path, undersampling="spiral")
    (tmp_path / "neck_slices.npz").write_bytes(b"no zip")
    with pytest.raises(InputError, match="neck_slices.npz: not a readable npz file"):
        Mri(dataset_dir=tmp_path)
