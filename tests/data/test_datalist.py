"""A team's own data from a JSON list."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from scripts.data import build_source, notices
from scripts.data.datasets import file_hash
from scripts.data.transforms import preprocessing
from scripts.errors import InputError, user_error
from scripts.identity.content import ContentDigests


def entry(name="a", **other):
    return {"image": f"images/{name}.png", "label": f"masks/{name}.png", "patient_id": "01", **other}


@pytest.fixture
def folder(tmp_path, picture, mask):
    for seed, name in enumerate("abc"):
        picture(tmp_path / "data" / "images" / f"{name}.png", seed=seed)
        mask(tmp_path / "data" / "masks" / f"{name}.png")
    return tmp_path / "data"


@pytest.fixture
def build(folder):
    def build(content, *, name="list.json", **options):
        path = folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return build_source("datalist", datalist=path, **options)

    return build


def test_sections_are_official_splits(build):
    source = build({"training": [entry("a")], "validation": [entry("b", lesion_id=7)], "testing": [entry("c")]})
    records = source.records()
    assert [record["image_id"] for record in records] == ["images/a", "images/b", "images/c"]
    assert [record.get("split") for record in records] == [None, "validation", "test"]
    assert records[1]["lesion_id"] == "7"
    assert (source.task, source.channels, source.spatial_dims, source.classes) == (
        "segmentation",
        3,
        2,
        ("foreground",),
    )
    item = preprocessing(source, image_size=4)(records[0])
    assert item["image"].shape == (3, 4, 4) and item["label"].mean() == 0.25


def test_a_bare_list_with_ids_of_its_own(build):
    records = build([entry("b", image_id="1e5", patient_id=1), entry("a", image_id="01")]).records()
    assert [(record["image_id"], record["patient_id"]) for record in records] == [("01", "01"), ("1e5", "1")]


def test_paths_relative_to_dataset_dir(folder, tmp_path):
    (tmp_path / "list.json").write_text(json.dumps([entry()]))
    source = build_source("datalist", datalist=tmp_path / "list.json", dataset_dir=folder)
    assert source.records()[0]["image"] == str(folder / "images" / "a.png")


def test_an_int_label_is_a_class(build):
    content = [entry("a", label=0), entry("b", label=2)]
    source = build(content)
    assert (source.task, source.classes) == ("classification", ("0", "1", "2"))
    named = build(content, classes=["x", "y", "z"], task="classification")
    assert [record["diagnosis"] for record in named.records()] == ["x", "z"]
    assert preprocessing(named, image_size=4)(named.records()[1])["label"] == 2
    with pytest.raises(InputError, match="label 2 is not a class number from 0 to 1"):
        build(content, classes=["x", "y"])
    with pytest.raises(InputError, match="label -1"):
        build([entry(label=-1)], classes=["x"])


def test_structures_by_number_or_by_file(build, folder):
    numbers = np.zeros((8, 12), np.uint8)
    numbers[:4], numbers[4:, :6] = 1, 2
    Image.fromarray(numbers).save(folder / "masks" / "a.png")
    by_number = build([entry()], task="multiclass_segmentation", outputs=3)
    assert by_number.classes == ("structure_1", "structure_2")
    item = preprocessing(by_number, image_size=4)(by_number.records()[0])
    assert item["label"].flatten(1).sum(1).tolist() == [8, 4]
    own = [f"masks/{name}.png" for name in "bc"]
    by_file = build([entry(label=own)], task="multilabel_segmentation", classes=["organ", "tumour"])
    assert by_file.classes == ("organ", "tumour")
    record = by_file.records()[0]
    assert record["label"] == [str(folder / name) for name in own]
    item = preprocessing(by_file, image_size=4)(record)
    assert item["label"].shape == (2, 4, 4) and item["label"].mean() == 0.25
    # A changed mask is another content, whichever of the two it is.
    before, digest = file_hash(record), ContentDigests().of_record(record)
    Image.fromarray(np.zeros((8, 12), np.uint8)).save(folder / "masks" / "c.png")
    assert file_hash(record) != before and ContentDigests().of_record(record) != digest


@pytest.mark.parametrize(
    ("label", "options", "words"),
    [
        (["masks/b.png"], {"task": "multilabel_segmentation", "outputs": 2}, "1 mask file, where task .* 2 structures"),
        (["masks/b.png", "masks/c.png"], {}, "2 mask files, where task segmentation with 1 structure has 1"),
        (["masks/b.png", "masks/b.png"], {}, "two of its masks, are the same file .*masks/b.png"),
        (["masks/b.png", "none.png"], {}, "no such file .*none.png"),
        ([], {}, "neither a mask file, or a list of them, nor a class number"),
        (["../b.png"], {}, "leads out of"),
        (
            0,
            {"task": "multiclass_segmentation"},
            "task is 'multiclass_segmentation', but its labels are those of class",
        ),
    ],
)
def test_labels_that_a_task_does_not_have(build, label, options, words):
    with pytest.raises(InputError, match=words):
        build([entry(label=label)], **options)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not a JSON file"),
        ('{"images": []}', "lists called training"),
        ('{"training": {}}', "'training' must be a list"),
        ("[]", "no images found"),
        ([3], r"list\[0\]: must be an object"),
        ([{"image": "images/a.png", "label": "masks/a.png"}], "'patient_id' is missing"),
        ([entry(patient_id="")], "'patient_id' is missing"),
        ([entry(label=None)], "'label' is missing"),
        ([entry(label=True)], "neither a mask file, or a list of them, nor a class number"),
        ([entry(label=0.5)], "neither a mask file, or a list of them, nor a class number"),
        ([entry(), entry()], r"list\[1\]: image .*a.png is the file of list\[0\] too"),
        ([entry(), entry("b", label=1)], "files in some entries and class numbers in others"),
        ([entry(), entry("none")], r"list\[1\]: no such file .*none.png"),
        ([entry(image="../data/images/a.png")], "leads out of"),
        ([entry(image="/etc/a.png")], "leads out of"),
        ([entry(label="images/a.txt")], "'images/a.txt' is not one of .png"),
        ([entry(image=["images/a.png"])], "is not a path"),
    ],
)
def test_refuses(build, content, words):
    with pytest.raises(InputError, match=words) as caught:
        build(content)
    assert "list.json" in str(caught.value)


def test_links_out_of_the_folder_are_refused_and_links_inside_are_not(build, folder, tmp_path, picture):
    picture(tmp_path / "outside.png")
    (folder / "images" / "link.png").symlink_to(tmp_path / "outside.png")
    with pytest.raises(InputError, match="'images/link.png' leads out of"):
        build([entry(image="images/link.png")])
    (folder / "images" / "inner.png").symlink_to(folder / "images" / "a.png")
    assert len(build([entry(image="images/inner.png")]).records()) == 1
    (folder / "away").symlink_to(tmp_path)
    with pytest.raises(InputError, match="leads out of"):
        build([entry(image="away/outside.png")])


def test_settings_that_contradict_the_files(build):
    with pytest.raises(InputError, match="task is 'classification', but its labels are those of segmentation"):
        build([entry()], task="classification")
    with pytest.raises(InputError, match="'detection' is not one of"):
        build([entry()], task="detection")
    with pytest.raises(InputError, match="a picture has 2 spatial dimensions"):
        build([entry()], spatial_dims=3)
    with pytest.raises(InputError, match="spatial_dims: '4'"):
        build([entry()], spatial_dims=4)
    with pytest.raises(InputError, match="--datalist"):
        build_source("datalist", datalist="")
    with pytest.raises(InputError, match="no such datalist"):
        build_source("datalist", datalist="none.json")


def save(path, shape, *, mask=False):
    path.parent.mkdir(exist_ok=True)
    values = np.random.default_rng(0).normal(size=shape)
    nib.save(nib.Nifti1Image((values > 0).astype(np.uint8) if mask else values.astype(np.float32), np.eye(4)), path)


@pytest.mark.parametrize(("shape", "dims", "channels"), [((6, 5, 4), 3, 1), ((6, 5, 1), 2, 1), ((6, 5, 4, 2), 3, 2)])
def test_volumes(build, folder, shape, dims, channels):
    save(folder / "nifti" / "v.nii.gz", shape)
    save(folder / "nifti" / "m.nii.gz", shape[:3], mask=True)
    listed = [{"image": "nifti/v.nii.gz", "label": "nifti/m.nii.gz", "patient_id": "p"}]
    source = build(listed)
    assert (source.spatial_dims, source.channels) == (dims, channels)
    assert source.records()[0]["image_id"] == "nifti/v"
    item = preprocessing(source, image_size=4, normalise="zscore")(source.records()[0])
    assert item["image"].shape == (channels, *[4] * dims) and item["label"].shape == (1, *[4] * dims)
    with pytest.raises(InputError, match="both NIfTI files and pictures"):
        build([*listed, entry()])
    (folder / "nifti" / "v.nii.gz").write_bytes(b"broken")
    with pytest.raises(InputError, match="v.nii.gz: not a readable NIfTI file"):
        build(listed)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"patient_id": "01 "}, "begins or ends with a blank"),
        ({"patient_id": "\u00a001"}, "begins or ends with a blank"),
        ({"patient_id": ["01"]}, "neither text nor a whole number"),
        ({"patient_id": True}, "neither text nor a whole number"),
        ({"patient_id": 1.5}, "neither text nor a whole number"),
        ({"patient_id": {"id": 1}}, "neither text nor a whole number"),
        ({"patient_id": None}, "'patient_id' is missing"),
        ({"patient_id": "0\u200b1"}, r"'0\\u200b1' holds an invisible character"),
        ({"patient_id": "0\x1b[31m1"}, r"\\u001b.* holds an invisible character"),
        ({"patient_id": "x" * 100_000}, "100000 characters"),
        ({"lesion_id": " L1"}, "lesion_id ' L1' begins or ends"),
        ({"study_id": False}, "study_id False is neither"),
        ({"split": "tset"}, "split 'tset' is not one of train, validation, test"),
        ({"split": 3}, "split '3' is not one of"),
    ],
)
def test_ids_and_splits_that_cannot_be_meant(build, changed, words):
    with pytest.raises(InputError, match=rf"list.json: list\[1\].*{words}") as caught:
        build([entry("a", patient_id="07"), entry("b", **changed)])
    assert len(str(caught.value)) < 600 and "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other"), [("p1", "P1"), ("Å1", "A\u030a1"), ("\ufb01n", "fin"), ("a  b", "a b"), ("p\uff11", "p1")]
)
def test_ids_that_could_be_taken_for_one_another(build, one, other):
    with pytest.raises(
        InputError, match="list.json: patient_id .* differ only in case, blanks or Unicode form"
    ) as caught:
        build([entry("a", patient_id=one), entry("b", patient_id=other)])
    shown = [ascii(name).replace("  ", r"\x20\x20") for name in (one, other)]
    assert shown[0] in str(caught.value) and shown[1] in str(caught.value)


def test_one_file_in_two_entries(build, folder):
    (folder / "images" / "link.png").symlink_to(folder / "images" / "a.png")
    (folder / "images" / "hard.png").hardlink_to(folder / "images" / "a.png")
    for name in ("link", "hard"):
        with pytest.raises(InputError, match=rf"testing\[0\]: image .*{name}.png is the file of training\[0\] too"):
            build({"training": [entry("a")], "testing": [entry("a", image=f"images/{name}.png", patient_id="02")]})
    with pytest.raises(InputError, match="image and label, or two of its masks, are the same file"):
        build([entry("a", label="images/a.png")])
    shared = [entry("a"), entry("b", label="masks/a.png", patient_id="02")]
    assert len(build(shared).records()) == 2  # a mask, such as an empty one, may serve several images


def test_what_is_not_read_is_said_with_a_count(build, capsys):
    notices._SAID.clear()
    content = {
        "training": [entry("a", fold=1, note="x", age="045Y"), entry("b", fold=2, age="unknown", patient_id="02")],
        "val": [entry("c")],
        "name": "our list",
    }
    records = build(content).records()
    assert [record.get("age") for record in records] == [45.0, None]
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 3 and all("list.json" in line for line in said)
    assert "1 lists are not read: val" in said[0]
    assert "2 entries have keys that are not read: fold (2), note" in said[1]
    assert "1 ages are not understood and left out: unknown" in said[2]


def test_a_section_and_a_split_that_contradict(build):
    assert build({"testing": [entry("a", split="test")]}).records()[0]["split"] == "test"
    assert "split" not in build([entry("a", split="train")]).records()[0]
    with pytest.raises(InputError, match=r"validation\[0\]: split 'test' contradicts the list"):
        build({"validation": [entry("a", split="test")]})
    with pytest.raises(InputError, match="list.json: key 'patient_id' stands twice in one object"):
        build('[{"image": "images/a.png", "label": "masks/a.png", "patient_id": "1", "patient_id": "2"}]')


def test_the_setting_decides_the_channels(build, folder, picture):
    picture(folder / "images" / "a.png", mode="L")
    items = {}
    for channels in (None, 1, 3):
        source = build([entry("a"), entry("b", patient_id="02")], channels=channels)
        items[channels] = [preprocessing(source)(record)["image"] for record in source.records()]
    assert [len(image) for image in items[None]] == [1, 1]  # left open, the first image decides
    assert [len(image) for image in items[1]] == [1, 1] and [len(image) for image in items[3]] == [3, 3]
    assert (items[3][0] == items[3][0][:1]).all() and not (items[3][1] == items[3][1][:1]).all()
    with pytest.raises(InputError, match="in_channels: 2 does not fit pictures"):
        build([entry("a")], channels=2)


def test_a_volume_of_other_channels_or_dimensions_is_refused_by_name(build, folder):
    listed = []
    for name, shape in (("flat", (6, 5, 1)), ("deep", (6, 5, 4)), ("two", (6, 5, 1, 2))):
        save(folder / "nifti" / f"{name}.nii.gz", shape)
        save(folder / "nifti" / f"m_{name}.nii.gz", shape[:3], mask=True)
        listed.append({"image": f"nifti/{name}.nii.gz", "label": f"nifti/m_{name}.nii.gz", "patient_id": name})
    with pytest.raises(InputError, match="deep.nii.gz: .* is a volume, where spatial_dims is 2"):
        build(listed[1:2], spatial_dims=2)
    with pytest.raises(InputError, match="two.nii.gz: 2 channels where in_channels is 1"):
        build(listed[2:], channels=1)
    source = build([{**item, "image_id": f"{at}"} for at, item in enumerate(listed)], spatial_dims=2, channels=1)
    assert preprocessing(source)(source.records()[0])["image"].shape == (1, 6, 5)
    for record, words in zip(source.records()[1:], ("spatial_dims 3", "2 channels where"), strict=True):
        with pytest.raises(RuntimeError) as caught:
            preprocessing(source)(record)
        assert record["patient_id"] in str(user_error(caught.value)) and words in str(user_error(caught.value))


def test_numbers_that_cannot_be_classes(build):
    with pytest.raises(InputError, match="label 1000000000 is not a class number from 0 to 999"):
        build([entry("a", label=0), entry("b", label=10**9)])
    with pytest.raises(InputError, match="not a JSON file"):
        build("[" + "1" * 5000 + "]")
    with pytest.raises(InputError, match="not a JSON file"):
        build("[" * 100_000)


def test_of_what_was_forgotten_before_no_file_is_looked_at(build, folder):
    listed = [entry(name, patient_id=name) for name in "abc"]
    for name in ("images/a.png", "masks/a.png"):
        (folder / name).unlink()
    with pytest.raises(InputError, match=r"training\[0\]: no such file .*a.png"):
        build({"training": listed})
    source = build({"training": listed}, gone=lambda records: {one["image_id"] for one in records[:1]})
    assert [record["patient_id"] for record in source.records()] == ["a", "b", "c"]
    with pytest.raises(InputError, match="no such file .*b.png"):
        (folder / "masks" / "b.png").unlink()
        build({"training": listed}, gone=lambda records: {"images/a"})


def test_the_first_volume_that_is_not_forgotten_says_the_shape(build, folder):
    listed = []
    for name in ("one", "two"):
        save(folder / "nifti" / f"{name}.nii.gz", (8, 8, 8))
        save(folder / "nifti" / f"m_{name}.nii.gz", (8, 8, 8), mask=True)
        listed.append({"image": f"nifti/{name}.nii.gz", "label": f"nifti/m_{name}.nii.gz", "patient_id": name})
    (folder / "nifti" / "one.nii.gz").write_bytes(b"garbage")
    assert build(listed, gone=lambda records: {"nifti/one"}, channels=1).spatial_dims == 3
    with pytest.raises(InputError, match="one.nii.gz: not a readable NIfTI file"):
        build(listed, channels=1)


@pytest.mark.parametrize("name", ["a\x00.png", "a\ud800.png"])
def test_names_that_no_file_can_have(build, name):
    with pytest.raises(InputError, match="holds a sign that no file name can have"):
        build([{"image": name, "label": "a_mask.png", "patient_id": "1"}])
