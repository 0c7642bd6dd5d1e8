"""ISIC diagnosis in its four layouts."""

from __future__ import annotations

import pytest
import torch
from scripts.data import build_source
from scripts.data.transforms import preprocessing
from scripts.errors import InputError

ONE_HOT = "image,MEL,NV,BKL\nISIC_0000000,1.0,0.0,0.0\nISIC_0000001,0.0,1.0,0.0\nISIC_0000002,0.0,0.0,1.0\n"


@pytest.fixture
def images(tmp_path, picture):
    def make(folder, count=3, start=0):
        for number in range(start, start + count):
            picture(tmp_path / folder / f"ISIC_{number:07d}.jpg", seed=number)
        return tmp_path

    return make


def shown(source):
    return [(record["image_id"][-1], record["label"], record["diagnosis"]) for record in source.records()]


def test_part_3_of_2017(images):
    folder = images("ISIC-2017_Training_Data")
    images("ISIC-2017_Validation_Data", 1, 3)
    head = "image_id,melanoma,seborrheic_keratosis\n"
    rows = "ISIC_0000000,1.0,0.0\nISIC_0000001,0.0,0.0\nISIC_0000002,0.0,1.0\n"
    (folder / "ISIC-2017_Training_Part3_GroundTruth.csv").write_text(head + rows)
    (folder / "ISIC-2017_Validation_Part3_GroundTruth.csv").write_text(head + "ISIC_0000003,0,0\n")
    source = build_source("isic_classification", dataset_dir=folder)
    assert source.classes == ("melanoma", "nevus", "seborrheic_keratosis")
    assert shown(source) == [
        ("0", 0, "melanoma"),
        ("1", 1, "nevus"),
        ("2", 2, "seborrheic_keratosis"),
        ("3", 1, "nevus"),
    ]
    assert [record.get("split") for record in source.records()] == [None, None, None, "validation"]


@pytest.mark.parametrize("nested", [False, True])
def test_task_3_of_2018_with_lesions(images, nested):
    folder = images("ISIC2018_Task3_Training_Input")
    truth = folder / "ISIC2018_Task3_Training_GroundTruth" if nested else folder
    truth.mkdir(exist_ok=True)
    (truth / "ISIC2018_Task3_Training_GroundTruth.csv").write_text(ONE_HOT)
    groups = "image,lesion_id,diagnosis_confirm_type\nISIC_0000000,HAM_1,histo\nISIC_0000001,HAM_1,histo\n"
    (folder / "ISIC2018_Task3_Training_LesionGroupings.csv").write_text(groups)
    source = build_source("isic_classification", dataset_dir=folder)
    assert shown(source) == [("0", 1, "MEL"), ("1", 2, "NV"), ("2", 0, "BKL")]
    assert source.unit == "lesion"
    assert [record["patient_id"] for record in source.records()] == ["HAM_1", "HAM_1", "ISIC_0000002"]


def test_2019_unpacks_one_folder_deeper(images):
    folder = images("ISIC_2019_Training_Input/ISIC_2019_Training_Input")
    (folder / "ISIC_2019_Training_GroundTruth.csv").write_text(ONE_HOT.replace("BKL", "UNK"))
    source = build_source("isic_classification", dataset_dir=folder, classes=["NV", "MEL"])
    assert shown(source) == [("0", 1, "MEL"), ("1", 0, "NV")]
    item = preprocessing(source, image_size=4)(source.records()[0])
    assert item["label"].dtype == torch.int64 and item["label"] == 1 and item["image"].shape == (3, 4, 4)


def test_labels_beside_the_2018_images(images):
    folder = images("ISIC2018_Task1-2_Training_Input")
    rows = "image_id,diagnosis,lesion_id\nISIC_0000000,NV,\nISIC_0000001,,\nISIC_0000002,BKL,IL_7\n"
    (folder / "labels.csv").write_text(rows)
    source = build_source("isic_classification", dataset_dir=folder)
    assert shown(source) == [("0", 1, "NV"), ("2", 0, "BKL")]
    assert source.records()[1]["patient_id"] == "IL_7"


def test_class_folders_with_and_without_splits(images):
    folder = images("benign", 2)
    images("malignant", 1, 2)
    assert shown(build_source("isic_classification", dataset_dir=folder)) == [
        ("0", 0, "benign"),
        ("1", 0, "benign"),
        ("2", 1, "malignant"),
    ]
    split = images("split/train/a", 1, 3) / "split"
    images("split/train/b", 1, 4)
    images("split/val/a", 1, 5)
    images("split/test/b", 1, 6)
    records = build_source("isic_classification", dataset_dir=split).records()
    assert [record.get("split") for record in records] == [None, None, "validation", "test"]
    assert [record["label"] for record in records] == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("truth", "words"),
    [
        (ONE_HOT.replace("1.0,0.0,0.0", "0.0,0.0,0.0"), "line 2: exactly one class column must be 1"),
        (ONE_HOT.replace("1.0,0.0,0.0", "1.0,1.0,0.0"), "here: MEL, NV"),
        (ONE_HOT.replace("1.0,0.0,0.0", "0.7,0.3,0.0"), "exactly one"),
        (ONE_HOT.replace("1.0,0.0,0.0", "yes,0.0,0.0"), "line 2: a class column holds a value that is no number"),
        (ONE_HOT + "ISIC_0000009,1,0,0\n", "image 'ISIC_0000009' has no file; nearest: 'ISIC_000000"),
        (ONE_HOT + "ISIC_0000000,1,0,0\n", "line 5: image 'ISIC_0000000' is listed twice"),
        (ONE_HOT.replace("image", "file"), "no image column"),
    ],
)
def test_refuses(images, truth, words):
    folder = images("ISIC_2019_Training_Input")
    (folder / "ISIC_2019_Training_GroundTruth.csv").write_text(truth)
    with pytest.raises(InputError, match=words):
        build_source("isic_classification", dataset_dir=folder)


def test_an_unknown_class_names_the_nearest(images):
    folder = images("melanoma")
    with pytest.raises(InputError, match="class 'melanom' has no image; nearest: 'melanoma'"):
        build_source("isic_classification", dataset_dir=folder, classes=["melanom"])


def test_the_real_data_set(data_root):
    source = build_source("isic_classification", dataset_dir=data_root("ISIC2017"))
    counts = [sum(record["label"] == index for record in source.records()) for index in range(3)]
    assert dict(zip(source.classes, counts, strict=True)) == {
        "melanoma": 120,
        "nevus": 160,
        "seborrheic_keratosis": 100,
    }
