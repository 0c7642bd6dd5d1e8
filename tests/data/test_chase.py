"""CHASE_DB1 in its flat official folder."""

from __future__ import annotations

import pytest
import torch
from scripts.data import build_source
from scripts.data.transforms import preprocessing
from scripts.errors import InputError
from torch.nn.functional import avg_pool2d


@pytest.fixture
def folder(tmp_path, picture, mask):
    for child in ("01", "02", "11"):
        for eye in "LR":
            picture(tmp_path / f"Image_{child}{eye}.jpg")
            mask(tmp_path / f"Image_{child}{eye}_1stHO.png")
            mask(tmp_path / f"Image_{child}{eye}_2ndHO.png", values=(255, 255))
    (tmp_path / "README.md").write_text("not an image")
    return tmp_path


def test_both_eyes_are_one_child(folder):
    records = build_source("chase", dataset_dir=folder).records()
    assert [record["image_id"] for record in records] == [f"Image_{c}{e}" for c in ("01", "02", "11") for e in "LR"]
    assert [record["patient_id"] for record in records] == ["01", "01", "02", "02", "11", "11"]
    assert [record.get("split") for record in records] == [None] * 4 + ["test"] * 2


def test_observer_chooses_the_mask(folder):
    means = []
    for observer in (1, "2"):
        source = build_source("chase", dataset_dir=folder, observer=observer)
        means.append(preprocessing(source)(source.records()[0])["label"].mean())
    assert means == [0.25, 1.0]
    with pytest.raises(InputError, match="observer: '3' is not one of 1, 2"):
        build_source("chase", dataset_dir=folder, observer=3)


def test_a_missing_mask_is_named(folder):
    (folder / "Image_02R_1stHO.png").unlink()
    with pytest.raises(InputError, match="Image_02R.jpg: mask Image_02R_1stHO.png is missing"):
        build_source("chase", dataset_dir=folder).records()


def test_a_truncated_photograph_is_named_through_the_transforms(folder):
    from scripts.errors import user_error

    path = folder / "Image_01L.jpg"
    path.write_bytes(path.read_bytes()[:-40])
    source = build_source("chase", dataset_dir=folder)
    with pytest.raises(RuntimeError) as caught:  # MONAI wraps what a transform raises
        preprocessing(source, image_size=8)(source.records()[0])
    assert str(path) in str(user_error(caught.value))


def test_the_real_data_set(data_root):
    source = build_source("chase", dataset_dir=data_root("CHASEDB1"))
    records = source.records()
    assert len(records) == 28 and len({record["patient_id"] for record in records}) == 14
    assert sum(record.get("split") == "test" for record in records) == 8
    item = preprocessing(source, image_size=64)(records[0])
    assert item["image"].shape == (3, 64, 64) and set(item["label"].unique().tolist()) == {0.0, 1.0}
    whole = preprocessing(source)(records[0])
    assert whole["image"].shape == (3, 960, 999)
    # vessels are darker than what surrounds them: it holds only if mask and image share their axes
    square, vessel = whole["image"][1:2, :, :960], whole["label"][:, :, :960].bool()
    detail = square - avg_pool2d(square[None], 31, stride=1, padding=15)[0]
    assert detail[vessel].mean() < -0.03
    assert abs(detail[vessel.transpose(1, 2)].mean()) < 0.01
    assert isinstance(item["image"], torch.Tensor) and set(item) == {"image", "label", "image_id", "patient_id"}
