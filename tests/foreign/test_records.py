"""The bundle's data list as records: patients, sets, and what is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from scripts.errors import InputError


def change_list(theirs: Any, key: str, value: Any) -> None:
    path = theirs.folder / "configs" / "train.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content[key] = value(content[key])
    path.write_text(json.dumps(content), encoding="utf-8")


def test_patients_and_sets(written: Any) -> None:
    records = written("spleen_like_ct_segmentation").source().records()
    places: dict[str, set[str]] = {}
    for record in records:
        places.setdefault(record.get("split", "train"), set()).add(record["patient_id"])
    assert places["train"] == {"000", "001", "002", "003"}
    assert len(places["test"]) == 1
    assert places["test"] | places["validation"] == {"004", "005", "006", "007"}
    assert records[0]["image_id"] == "case_000_0_image"


def test_a_table_names_the_patients(theirs: Any, tmp_path: Path) -> None:
    table = tmp_path / "patients.csv"
    names = [path.name for path in theirs.data.glob("*_image.nii.gz")]
    rows = "".join(f"{name},P-{name.split('_')[1]}\n" for name in names)
    table.write_text(f"image,patient_id\n{rows}", encoding="utf-8")
    assert theirs.source(patient_from=str(table)).records()[0]["patient_id"] == "P-000"
    table.write_text(f"image,patient_id\n{rows.split(chr(10), 1)[1]}", encoding="utf-8")
    with pytest.raises(InputError, match="has no row for 'case_"):
        theirs.source(patient_from=str(table))
    table.write_text(f"image,person\n{rows}", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 2: needs the columns image and patient_id"):
        theirs.source(patient_from=str(table))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("", "has no patient_id; give patient_from"),
        ("case_", "has 0 groups"),
        ("(case)_(.*)", "has 2 groups"),
        ("case_(", "is no regular expression"),
        ("other_(.*)", "finds no patient in 'case_000_0_image.nii.gz'"),
        ("none.csv", "no such file"),
    ],
)
def test_what_names_no_patient(written: Any, given: str, reason: str) -> None:
    with pytest.raises(InputError) as found:
        written("spleen_like_ct_segmentation").source(patient_from=given)
    assert reason in str(found.value)


def test_ids_that_differ_in_case_only(theirs: Any, tmp_path: Path) -> None:
    table = tmp_path / "patients.csv"
    names = sorted(path.name for path in theirs.data.glob("*_image.nii.gz"))
    ids = {0: "Pa", 1: "pa"}
    rows = "".join(f"{name},{ids.get(place, name[5:8])}\n" for place, name in enumerate(names))
    table.write_text(f"image,patient_id\n{rows}", encoding="utf-8")
    with pytest.raises(InputError, match="differ only in case"):
        theirs.source(patient_from=str(table))


def test_a_path_that_leads_out(theirs: Any) -> None:
    (theirs.data.parent / "case_099_0_image.nii.gz").write_bytes(b"")
    change_list(theirs, "images", lambda images: ["../case_099_0_image.nii.gz", *images[1:]])
    with pytest.raises(InputError, match=r"train::dataset::data\[0\]: .* leads out of"):
        theirs.source()


def test_a_link_that_leads_out(theirs: Any, tmp_path: Path) -> None:
    image = theirs.data / "case_000_0_image.nii.gz"
    image.rename(tmp_path / "elsewhere.nii.gz")
    image.symlink_to(tmp_path / "elsewhere.nii.gz")
    with pytest.raises(InputError, match="leads out of"):
        theirs.source()


def test_a_missing_file_is_named(theirs: Any) -> None:
    (theirs.data / "case_001_0_label.nii.gz").unlink()
    with pytest.raises(InputError, match=r"no such file .*case_001_0_label\.nii\.gz"):
        theirs.source()


def test_a_patient_in_both_lists(theirs: Any) -> None:
    change_list(theirs, "val_images", lambda images: ["case_000_1_image.nii.gz", *images[1:]])
    with pytest.raises(InputError, match="1 patients stand in both"):
        theirs.source()


def test_too_few_held_out(theirs: Any) -> None:
    for key in ("val_images", "val_labels"):
        change_list(theirs, key, lambda listed: listed[:4])
    with pytest.raises(InputError, match="has 2 patients; 3 at least"):
        theirs.source()


def test_a_list_of_ones_own(theirs: Any, tmp_path: Path) -> None:
    entries = [
        {"image": f"case_{patient}_0_image.nii.gz", "label": f"case_{patient}_0_label.nii.gz", "patient_id": patient}
        for patient in ("000", "001", "002", "004")
    ]
    path = tmp_path / "list.json"
    path.write_text(json.dumps({"training": entries[:2], "testing": entries[2:]}), encoding="utf-8")
    records = theirs.source(datalist=path, patient_from="").records()
    assert [record.get("split") for record in records] == [None, None, "test", "test"]


def test_a_class_that_the_network_does_not_have(written: Any, theirs: Any, tmp_path: Path) -> None:
    import shutil

    from tests.foreign.conftest import Theirs

    first = written("core_classification")
    shutil.copytree(first.folder, tmp_path / "own" / first.folder.name)
    own = Theirs(tmp_path / "own" / first.folder.name, first.data)
    change_list(own, "labels", lambda labels: [2, *labels[1:]])
    with pytest.raises(InputError, match="label 2 is no class number from 0 to 1"):
        own.source()
