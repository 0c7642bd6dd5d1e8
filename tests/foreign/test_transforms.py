"""A bundle's transforms around our records: the same tensors, labels told apart, patches by its own crops."""

from __future__ import annotations

import json
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from scripts.data.datasets import AugmentedDataset
from scripts.errors import user_error
from scripts.foreign.transforms import foreign_preparation
from tests.foreign.bundles import SHAPES, VOXEL


@pytest.mark.parametrize("name", SHAPES)
def test_prepared_as_the_network_takes_them(written: Any, name: str) -> None:
    shape, theirs = SHAPES[name], written(name)
    bundle, records = theirs.bundle(), theirs.source().records()
    prepared = foreign_preparation(bundle, records)
    item = prepared.transform(records[0])
    assert type(item["image"]) is torch.Tensor
    assert item["image"].shape == (shape.channels, *[shape.edge] * shape.dims)
    assert prepared.size == (shape.patch or shape.edge,) * shape.dims
    if shape.masks:
        assert item["label"].shape == (len(bundle.classes), *[shape.edge] * shape.dims)
        assert set(item["label"].unique().tolist()) == {0.0, 1.0}
    else:
        assert int(item["label"]) in range(shape.outputs)
    if shape.dims == 3:
        assert item["spacing"].tolist() == pytest.approx(list(VOXEL))
    logits = prepared.inferer(item["image"][None], bundle.network().eval())
    assert logits.shape[1] == shape.outputs


def test_patches_are_its_own_crops_and_depend_on_the_seed_alone(written: Any) -> None:
    theirs = written("parts_deep_supervision_segmentation")
    records = theirs.source().records()
    prepared = foreign_preparation(theirs.bundle(), records)
    data = AugmentedDataset([prepared.transform(record) for record in records[:2]], prepared.crops, views=2)
    first, again = data[0], data[0]
    assert first["image"].shape == (1, 16, 16, 16)
    assert first["label"].shape == (2, 16, 16, 16)
    assert first["label"].sum(0).max() == 1
    assert torch.equal(first["image"], again["image"])
    data.epoch = 5
    drawn = {data[0]["view"] for data.epoch in range(8)}
    assert drawn == {"0", "1"}


def test_one_crop_keeps_label_and_image_together(written: Any) -> None:
    theirs = written("parts_deep_supervision_segmentation")
    records = theirs.source().records()
    prepared = foreign_preparation(theirs.bundle(), records)
    whole = prepared.transform(records[0])
    part = AugmentedDataset([whole], prepared.crops)[0]
    places = [
        (x, y, z)
        for x in range(9)
        for y in range(9)
        for z in range(9)
        if torch.equal(whole["image"][:, x : x + 16, y : y + 16, z : z + 16], part["image"])
    ]
    assert len(places) == 1
    x, y, z = places[0]
    assert torch.equal(whole["label"][:, x : x + 16, y : y + 16, z : z + 16], part["label"])


def put(theirs: Any, values: np.ndarray, affine: np.ndarray, name: str = "case_000_0_label.nii.gz") -> None:
    nib.save(nib.Nifti1Image(values, affine), theirs.data / name)


def test_a_mask_of_another_orientation_is_brought_together(theirs: Any) -> None:
    """The bundle has Orientationd: a mask that is stored along other axes is turned by its header."""
    records = theirs.source().records()
    before = foreign_preparation(theirs.bundle(), records).transform(records[0])
    stored = nib.load(theirs.data / "case_000_0_label.nii.gz")
    values, affine = np.asarray(stored.dataobj)[::-1], stored.affine.copy()
    affine[0, 0], affine[0, 3] = -VOXEL[0], VOXEL[0] * (values.shape[0] - 1)
    put(theirs, np.ascontiguousarray(values), affine)
    after = foreign_preparation(theirs.bundle(), records).transform(records[0])
    assert torch.equal(before["label"], after["label"])


def refusal(theirs: Any, records: list[dict[str, Any]]) -> str:
    """What an operator reads: MONAI wraps the error in others."""
    with pytest.raises(RuntimeError) as found:
        foreign_preparation(theirs.bundle(), records)
    error = user_error(found.value)
    assert error is not None
    return str(error)


@pytest.mark.parametrize("case", ["shifted", "colours", "complex", "larger", "numbers"])
def test_files_that_do_not_fit_are_named(theirs: Any, case: str) -> None:
    records = theirs.source().records()
    image = nib.load(theirs.data / "case_000_0_image.nii.gz")
    shape, affine = image.shape, image.affine.copy()
    if case == "shifted":
        affine[0, 3] += 20
        put(theirs, np.zeros(shape, np.uint8), affine)
    elif case == "colours":
        put(theirs, np.zeros(shape, [("R", "u1"), ("G", "u1"), ("B", "u1")]), affine, "case_000_0_image.nii.gz")
    elif case == "complex":
        put(theirs, np.zeros(shape, np.complex64), affine, "case_000_0_image.nii.gz")
    elif case == "larger":
        put(theirs, np.zeros((30, 30, 30), np.uint8), affine)
    else:
        put(theirs, np.full(shape, 7, np.uint8), affine)
    said = refusal(theirs, records)
    assert "case_000_0" in said
    assert "\n" not in said


def test_a_file_that_cannot_be_read_is_named(theirs: Any) -> None:
    records = theirs.source().records()
    (theirs.data / "case_000_0_image.nii.gz").write_bytes(b"no image")
    assert "case_000_0_image.nii.gz" in refusal(theirs, records)


def test_a_bundle_that_trains_on_whole_images_keeps_its_window(theirs: Any) -> None:
    path = theirs.folder / "configs" / "train.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["train"]["random_transforms"] = []
    path.write_text(json.dumps(config), encoding="utf-8")
    prepared = foreign_preparation(theirs.bundle(), theirs.source().records())
    assert prepared.crops == []
    assert prepared.size == (24, 24, 24)
    assert prepared.patch == (16, 16, 16)
