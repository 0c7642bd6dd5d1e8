"""ISIC Task 1 layouts of three years, and the ids that group their images."""

from __future__ import annotations

import pytest
from scripts.data import build_source
from scripts.data.transforms import preprocessing
from scripts.errors import InputError

LAYOUTS = {
    "2016": ("ISBI2016_ISIC_Part1_{}_Data", "ISBI2016_ISIC_Part1_{}_GroundTruth", "_Segmentation", "Test"),
    "2017": ("ISIC-2017_{}_Data", "ISIC-2017_{}_Part1_GroundTruth", "_segmentation", "Test_v2"),
    "2018": ("ISIC2018_Task1-2_{}_Input", "ISIC2018_Task1_{}_GroundTruth", "_segmentation", "Test"),
}


@pytest.fixture
def layout(tmp_path, picture, mask):
    def make(year, *, parts=("Training", "Validation", "Test"), per_part=3):
        images, truths, suffix, test = LAYOUTS[year]
        number = 0
        for part in parts:
            name = test if part == "Test" else part
            for _ in range(per_part):
                image_id = f"ISIC_{number:07d}"
                picture(tmp_path / images.format(name) / f"{image_id}.jpg", seed=number)
                mask(tmp_path / truths.format(name) / f"{image_id}{suffix}.png")
                number += 1
        return tmp_path

    return make


@pytest.mark.parametrize("year", LAYOUTS)
def test_each_year_with_its_official_splits(layout, year):
    source = build_source("isic", dataset_dir=layout(year))
    records = source.records()
    assert [record.get("split") for record in records] == [None] * 3 + ["validation"] * 3 + ["test"] * 3
    assert all(record["patient_id"] == record["image_id"] for record in records) and source.unit == "image"
    assert preprocessing(source, image_size=4)(records[0])["label"].mean() == 0.25


def test_superpixels_and_licences_are_passed_over(layout, picture):
    folder = layout("2017", parts=("Training",))
    picture(folder / "ISIC-2017_Training_Data" / "ISIC_0000000_superpixels.png")
    (folder / "ISIC-2017_Training_Data" / "LICENSE.txt").write_text("CC-0")
    assert len(build_source("isic", dataset_dir=folder).records()) == 3


def test_lesions_group_and_blank_ids_do_not(layout):
    folder = layout("2018", parts=("Training",), per_part=4)
    rows = ["image_id,diagnosis,age_approx,sex,lesion_id", "ISIC_0000000,NV,55.0,female,IL_1"]
    rows += ["ISIC_0000001,NV,55.0,female,IL_1", "ISIC_0000002,MEL,,unknown,", "ISIC_0000003,,30.0,male,"]
    (folder / "labels.csv").write_text("\n".join(rows))
    source = build_source("isic", dataset_dir=folder)
    records = source.records()
    assert source.unit == "lesion"
    assert [record["patient_id"] for record in records] == ["IL_1", "IL_1", "ISIC_0000002", "ISIC_0000003"]
    assert [record.get("diagnosis") for record in records] == ["NV", "NV", "MEL", None]
    assert "age" not in records[2] and "sex" not in records[2] and "lesion_id" not in records[2]


def test_a_patient_goes_before_his_lesions(layout):
    folder = layout("2018", parts=("Training",), per_part=4)
    rows = ["isic_id,patient_id,lesion_id", "ISIC_0000000,P1,IL_1", "ISIC_0000001,,IL_1", "ISIC_0000002,P1,IL_2"]
    (folder / "challenge_metadata.csv").write_text("\n".join(rows))
    source = build_source("isic", dataset_dir=folder)
    assert source.unit == "patient"
    assert [record["patient_id"] for record in source.records()] == ["P1", "P1", "P1", "ISIC_0000003"]
    (folder / "challenge_metadata.csv").write_text("\n".join([*rows, "ISIC_0000003,P2,IL_2"]))
    with pytest.raises(InputError, match="lesion 'IL_2' belongs to two patients"):
        build_source("isic", dataset_dir=folder)


def test_metadata_inside_the_image_folder_and_part_3_diagnoses(layout):
    folder = layout("2017", parts=("Training",))
    inside = folder / "ISIC-2017_Training_Data" / "ISIC-2017_Training_Data_metadata.csv"
    inside.write_text("image_id,age_approximate,sex\nISIC_0000001,80,male\n")
    truth = "image_id,melanoma,seborrheic_keratosis\nISIC_0000000,1.0,0.0\nISIC_0000001,0.0,0.0\nISIC_0000002,0.0,1.0\n"
    (folder / "ISIC-2017_Training_Part3_GroundTruth.csv").write_text(truth)
    records = build_source("isic", dataset_dir=folder).records()
    assert [record["diagnosis"] for record in records] == ["melanoma", "nevus", "seborrheic_keratosis"]
    assert (records[1]["age"], records[1]["sex"]) == ("80", "male")


def test_a_missing_mask_and_a_missing_truth_folder(layout):
    folder = layout("2018", parts=("Training",))
    (folder / "ISIC2018_Task1_Training_GroundTruth" / "ISIC_0000001_segmentation.png").unlink()
    with pytest.raises(InputError, match=r"ISIC_0000001.jpg: mask ISIC_0000001_segmentation.png is missing"):
        build_source("isic", dataset_dir=folder)
    (folder / "ISIC2018_Task1_Training_GroundTruth").rename(folder / "elsewhere")
    with pytest.raises(InputError, match="truth ISIC2018_Task1_Training_GroundTruth is missing"):
        build_source("isic", dataset_dir=folder)


def test_held_out_images_whose_masks_were_not_published_are_left_aside(layout, picture):
    folder = layout("2018", parts=("Training",))
    picture(folder / "ISIC2018_Task1-2_Test_Input" / "ISIC_0000009.jpg")
    assert len(build_source("isic", dataset_dir=folder).records()) == 3


def test_two_years_in_one_folder_are_refused(layout):
    layout("2017", parts=("Training",))
    with pytest.raises(InputError, match="several data sets that share images"):
        build_source("isic", dataset_dir=layout("2018", parts=("Training",)))


def test_an_image_in_two_formats_is_refused(layout, picture):
    folder = layout("2018", parts=("Training",))
    picture(folder / "ISIC2018_Task1-2_Training_Input" / "ISIC_0000001.png")
    with pytest.raises(InputError, match="'ISIC_0000001' occurs twice"):
        build_source("isic", dataset_dir=folder)


def test_csv_files_without_images_or_with_blank_lines_are_read_past(layout):
    folder = layout("2018", parts=("Training",))
    (folder / "a_notes.csv").write_text("note,diagnosis\nx,y\n")
    (folder / "labels.csv").write_text("image_id,diagnosis\n\nISIC_0000000,NV\n")
    assert [record.get("diagnosis") for record in build_source("isic", dataset_dir=folder).records()][:1] == ["NV"]


def test_metadata_that_cannot_be_read(layout):
    folder = layout("2018", parts=("Training",))
    (folder / "labels.csv").write_text("image_id,diagnosis\nISIC_0000000,NV,3\n")
    with pytest.raises(InputError, match="labels.csv, line 2: 3 cells where the header has 2"):
        build_source("isic", dataset_dir=folder)
    (folder / "labels.csv").write_bytes(b"image_id,diagnosis\nISIC_0000000,\xff\n")
    with pytest.raises(InputError, match="labels.csv: not UTF-8"):
        build_source("isic", dataset_dir=folder)


TABLES = {
    "suffix": "image_id,lesion_id\nISIC_0000000.jpg,IL_1\nISIC_0000001.JPG,IL_1\nISIC_0000002.jpg,IL_2\n",
    "case": "image_id,lesion_id\nisic_0000000,IL_1\nIsic_0000001,IL_1\nISIC_0000002,IL_2\n",
    "semicolon": "image_id;lesion_id\nISIC_0000000;IL_1\nISIC_0000001;IL_1\nISIC_0000002;IL_2\n",
    "tab": "Image_ID\tLesion_ID\nISIC_0000000\tIL_1\nISIC_0000001\tIL_1\nISIC_0000002\tIL_2\n",
    "folder": "image_id,lesion_id\ndata/ISIC_0000000.jpg,IL_1\ndata\\ISIC_0000001.jpg,IL_1\nISIC_0000002,IL_2\n",
}


@pytest.mark.parametrize("form", TABLES)
def test_ids_of_a_table_are_matched_however_they_are_written(layout, form):
    folder = layout("2018", parts=("Training",))
    (folder / "labels.csv").write_text(TABLES[form])
    source = build_source("isic", dataset_dir=folder)
    assert source.unit == "lesion"
    assert [record["patient_id"] for record in source.records()] == ["IL_1", "IL_1", "IL_2"]


def test_a_table_none_of_whose_ids_match_is_refused(layout, capsys):
    folder = layout("2018", parts=("Training",))
    rows = "image_id,lesion_id\nIMG_1,IL_1\nIMG_2,IL_1\n"
    (folder / "labels.csv").write_text(rows)
    with pytest.raises(
        InputError, match="labels.csv: none of its 2 rows names an image of the data set, such as 'IMG_1'"
    ):
        build_source("isic", dataset_dir=folder)
    (folder / "labels.csv").rename(folder / "ISIC2018_Test_metadata.csv")
    assert build_source("isic", dataset_dir=folder).unit == "image"
    assert "ISIC2018_Test_metadata.csv: names images of another part" in capsys.readouterr().out


def test_a_table_that_matches_in_part_is_said(layout, capsys):
    folder = layout("2018", parts=("Training",))
    (folder / "labels.csv").write_text(
        "image_id,lesion_id,age\nISIC_0000000,IL_1,045Y\nIMG_2,IL_1,30\nISIC_0000001,IL_2,x\n"
    )
    records = build_source("isic", dataset_dir=folder).records()
    assert [record.get("age") for record in records] == ["45.0", None, None]
    said = capsys.readouterr().out
    assert "labels.csv: 2 of 3 images are named; 1 are not, 1 names have no image" in said
    assert "1 ages are not understood and left out: x" in said


def test_tables_that_contradict(layout):
    folder = layout("2018", parts=("Training",))
    (folder / "a.csv").write_text("image_id,lesion_id\nISIC_0000000,IL_1\n")
    (folder / "b.csv").write_text("image_id,lesion_id\nISIC_0000000.jpg,IL_2\n")
    with pytest.raises(InputError, match="b.csv: image 'ISIC_0000000' has two values of lesion_id: 'IL_1' and 'IL_2'"):
        build_source("isic", dataset_dir=folder)
    (folder / "b.csv").write_text("image_id,lesion_id,Lesion_ID\nISIC_0000000,IL_1,IL_1\n")
    with pytest.raises(InputError, match="b.csv: column 'lesion_id' occurs twice"):
        build_source("isic", dataset_dir=folder)
    (folder / "b.csv").write_text("image_id,lesion_id\nISIC_0000001,il_1\n")
    with pytest.raises(InputError, match="_id 'IL_1' and 'il_1' differ only in case"):
        build_source("isic", dataset_dir=folder)


def test_hidden_companions_of_images_are_passed_over(layout, capsys):
    folder = layout("2018", parts=("Training",))
    (folder / "ISIC2018_Task1-2_Training_Input" / "._ISIC_0000000.jpg").write_bytes(b"\x00\x05\x16\x07")
    assert len(build_source("isic", dataset_dir=folder).records()) == 3
    assert "1 hidden files or folders are passed over: ._ISIC_0000000.jpg" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "count", "unit"), [("ISIC2018_256", 2594, "lesion"), ("ISIC2017", 380, "image")])
def test_the_real_data_sets(data_root, name, count, unit):
    source = build_source("isic", dataset_dir=data_root(name))
    records = source.records()
    assert (len(records), source.unit) == (count, unit)
    item = preprocessing(source, image_size=64)(records[-1])
    assert item["image"].shape == (3, 64, 64) and item["label"].shape == (1, 64, 64)


def test_what_is_passed_over_is_said_with_a_count(layout, picture, mask, capsys) -> None:
    folder = layout("2018", parts=("Training",))
    images, truth = folder / "ISIC2018_Task1-2_Training_Input", folder / "ISIC2018_Task1_Training_GroundTruth"
    mask(truth / "ISIC_0000099_segmentation.png")
    (images / "ISIC_0000050.gif").write_bytes(b"GIF89a")
    (images / "more").mkdir()
    (images / "LICENSE.txt").write_text("CC-0")
    picture(folder / "ISIC-2017_Training_Data" / "ISIC_0000001.jpg")
    (folder / "ids.csv").write_text("ISIC_0000000,NV\n")
    build_source("isic", dataset_dir=folder)
    said = capsys.readouterr().out
    assert "1 masks have no image in ISIC2018_Task1-2_Training_Input: ISIC_0000099_segmentation.png" in said
    assert "2 entries are no pictures of the data set and are passed over" in said and ".gif" in said
    assert "a folder" in said and ".txt" not in said
    assert "ISIC-2017_Training_Data is there without its truth, and is passed over" in said
    assert "ids.csv: has no row with an image id" in said


@pytest.mark.parametrize("unknown", ["N/A", "n.a.", "null", "-", "?", "none", "nan"])
def test_lesions_whose_id_is_not_known_are_not_one_lesion(layout, unknown: str) -> None:
    folder = layout("2018", parts=("Training",))
    rows = [f"ISIC_000000{number},{unknown}" for number in range(3)]
    (folder / "labels.csv").write_text("\n".join(["image_id,lesion_id", *rows]))
    records = build_source("isic", dataset_dir=folder).records()
    assert len({record["patient_id"] for record in records}) == 3
