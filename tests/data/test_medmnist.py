"""MedMNIST's npz layout: shapes, copies, and files that are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scripts.cohort import resolve
from scripts.data import build_source
from scripts.data.medmnist import MedMnist
from scripts.data.transforms import preprocessing
from scripts.errors import InputError


def arrays(shape: tuple[int, ...] = (8, 8), *, counts: tuple[int, int, int] = (6, 3, 3)) -> dict[str, Any]:
    draw = np.random.default_rng(0)
    found: dict[str, Any] = {}
    for part, count in zip(("train", "val", "test"), counts, strict=True):
        found[f"{part}_images"] = draw.integers(0, 256, (count, *shape), dtype=np.uint8)
        found[f"{part}_labels"] = (np.arange(count) % 2)[:, None].astype(np.uint8)
    return found


def written(folder: Path, name: str = "somemnist", **changes: Any) -> Path:
    content = {**arrays(), **changes}
    np.savez(folder / f"{name}.npz", **{key: value for key, value in content.items() if value is not None})
    return folder


def test_records_have_the_official_split_and_a_class(tmp_path: Path) -> None:
    source = build_source("medmnist", dataset_dir=str(written(tmp_path)), medmnist="somemnist")
    records = source.records()
    assert [record.get("split", "") for record in records].count("test") == 3
    assert [record.get("split", "") for record in records].count("validation") == 3
    assert source.classes == ("0", "1") and source.unit == "image" and source.channels == 1
    assert {record["patient_id"] for record in records} == {record["image_id"] for record in records}
    item = preprocessing(source, image_size=8)(records[0])
    assert item["image"].shape == (1, 8, 8) and int(item["label"]) == records[0]["label"]


def test_a_part_may_be_empty(tmp_path: Path) -> None:
    source = MedMnist(dataset_dir=written(tmp_path, **arrays(counts=(6, 0, 3))))
    assert source.classes == ("0", "1") and not [one for one in source.records() if one.get("split") == "validation"]


def test_values_are_those_of_the_file(tmp_path: Path) -> None:
    content = arrays()
    source = MedMnist(dataset_dir=written(tmp_path, **content))
    record = next(one for one in source.records() if one["image_id"] == "somemnist-val-00002")
    for transform in source.loading():
        record = transform(record)
    assert np.allclose(record["image"][0].numpy() * 255, content["val_images"][2])
    assert int(record["label"]) == 0


@pytest.mark.parametrize(
    ("shape", "channels", "expected"),
    [((8, 8, 3), 3, (3, 8, 8)), ((8, 8, 3), 1, (1, 8, 8)), ((8, 8), 3, (3, 8, 8)), ((8, 8, 8), None, (1, 8, 8, 8))],
)
def test_colour_grey_and_volumes(tmp_path: Path, shape: Any, channels: Any, expected: Any) -> None:
    source = MedMnist(dataset_dir=written(tmp_path, **arrays(shape)), channels=channels)
    assert source.spatial_dims == len(expected) - 1
    record = source.loading()[0](source.records()[0])
    assert record["image"].shape == expected and 0 <= float(record["image"].min()) <= float(record["image"].max()) <= 1


def test_copies_are_one_patient_and_are_not_measured_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = arrays()
    content["train_images"][4] = content["train_images"][1]
    content["test_images"][2] = content["train_images"][0]
    content["test_images"][1] = content["test_images"][0]
    source = MedMnist(dataset_dir=written(tmp_path, **content))
    patients = {record["image_id"]: record["patient_id"] for record in source.records()}
    assert patients["somemnist-train-00004"] == patients["somemnist-train-00001"] == "somemnist-train-00001"
    assert "somemnist-test-00002" not in patients and patients["somemnist-test-00001"] == "somemnist-test-00000"
    assert "1 images are copies of others in an earlier part and are left out" in capsys.readouterr().out
    cohort = resolve(source, folds=2)
    assert {record["image_id"] for record in cohort.test} == {"somemnist-test-00000", "somemnist-test-00001"}


def test_a_changed_pixel_is_another_image(tmp_path: Path) -> None:
    content = arrays()
    before = {one["image_id"]: one["image"] for one in MedMnist(dataset_dir=written(tmp_path, **content)).records()}
    content["train_images"][3, 0, 0] ^= 1
    after = {one["image_id"]: one["image"] for one in MedMnist(dataset_dir=written(tmp_path, **content)).records()}
    assert {name for name in before if before[name] != after[name]} == {"somemnist-train-00003"}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"val_labels": None}, "'val_labels' is missing"),
        ({"train_labels": np.zeros((6, 14), np.uint8)}, "several labels an image are no classes"),
        ({"train_labels": np.zeros((5, 1), np.uint8)}, "with 5 labels"),
        ({"train_labels": np.full((6, 1), -1)}, "class numbers from 0"),
        ({"train_labels": np.zeros((6, 1))}, "class numbers from 0 are needed, found float64"),
        ({"train_images": np.zeros((6, 8, 8), np.float32)}, "train_images is float32"),
        ({"test_images": np.zeros((3, 9, 9), np.uint8)}, "differ in size"),
        ({"train_images": np.array([object()] * 6)}, "not a readable npz file of plain arrays"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, changes: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text) as caught:
        MedMnist(dataset_dir=written(tmp_path, **changes))
    assert str(tmp_path / "somemnist.npz") in str(caught.value)


def test_the_set_is_named_where_there_are_several(tmp_path: Path) -> None:
    written(tmp_path, "one")
    assert MedMnist(dataset_dir=tmp_path).path.name == "one.npz"
    written(tmp_path, "other")
    with pytest.raises(InputError, match="medmnist: a name is needed; sets in .*: one, other"):
        MedMnist(dataset_dir=tmp_path)
    with pytest.raises(InputError, match="medmnist: 'third' is not there"):
        MedMnist(dataset_dir=tmp_path, medmnist="third")
    assert MedMnist(dataset_dir=tmp_path / "other.npz").path.name == "other.npz"
    (tmp_path / "damaged.npz").write_bytes(b"no zip")
    with pytest.raises(InputError, match=r"damaged.npz: not a readable npz file"):
        MedMnist(dataset_dir=tmp_path, medmnist="damaged")


def test_the_real_files(data_root: Any) -> None:
    folder = data_root("MedMNIST")
    counts = {"breastmnist": (546, 78, 155), "pneumoniamnist": (4708, 516, 624)}
    for name, expected in counts.items():
        records = MedMnist(dataset_dir=folder, medmnist=name).records()
        splits = [record.get("split", "") for record in records]
        assert tuple(splits.count(part) for part in ("", "validation", "test")) == expected
    patients = {part: {one["patient_id"] for one in records if one.get("split", "") == part} for part in ("", "test")}
    # Copies within the training and the test set of pneumoniamnist.
    assert (4708 - len(patients[""]), 624 - len(patients["test"])) == (18, 3)
