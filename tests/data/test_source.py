"""The registry and the checks that all data sets share."""

from __future__ import annotations

import pytest
from scripts.data import SOURCES, build_source, nearest_known
from scripts.data.source import checked_records, say_contradictions
from scripts.errors import InputError


def test_an_unknown_name_names_the_nearest():
    with pytest.raises(InputError, match="unknown data set 'chas'; nearest: 'chase'"):
        build_source("chas")


@pytest.mark.parametrize("name", sorted(set(SOURCES) - {"phantom", "datalist"}))
@pytest.mark.parametrize("empty", ["", None])
def test_a_real_data_set_asks_for_its_folder(name, empty):
    with pytest.raises(InputError, match="--dataset_dir"):
        build_source(name, dataset_dir=empty)


@pytest.mark.parametrize("name", ["chase", "isic", "isic_classification"])
def test_an_empty_folder_and_a_missing_one(name, tmp_path):
    with pytest.raises(InputError, match=str(tmp_path)):
        build_source(name, dataset_dir=tmp_path).records()
    with pytest.raises(InputError, match="no such folder"):
        build_source(name, dataset_dir=tmp_path / "none")


def test_settings_of_other_data_sets_are_left_aside():
    source = build_source("phantom", dataset_dir="", observer=1, datalist="", classes=None, phantom_seed=3)
    assert source.records()[0]["image_id"].startswith("phantom-3-")


def test_duplicate_ids_are_refused_and_records_sorted():
    records = [{"image_id": "b"}, {"image_id": "a"}]
    assert [record["image_id"] for record in checked_records(records, where="x")] == ["a", "b"]
    with pytest.raises(InputError, match="'a' occurs twice"):
        checked_records([*records, {"image_id": "a"}], where="x")


def test_nearest_known():
    assert nearest_known("Image_01l", ["Image_01L", "Image_01R", "x"]).startswith("'Image_01L'")
    assert nearest_known("zzz", ["a", "b", "c", "d"]) == "'a', 'b', 'c' (of 4)"
    assert nearest_known("zzz", []) == "none"


def test_images_of_two_people_under_one_id_are_said(capsys) -> None:
    rows = [("a", "female"), ("a", "male"), ("b", "F"), ("b", "f"), ("c", "male"), ("c", "unknown"), ("d", None)]
    records = [{"patient_id": name, **({"sex": sex} if sex else {})} for name, sex in rows]
    say_contradictions(records, where="list.json")
    assert capsys.readouterr().out == (
        "warning: list.json: 1 patients have images of more than one sex; are their ids right? a\n"
    )
    say_contradictions(records[2:], where="list.json")
    assert capsys.readouterr().out == ""
