"""A folder's series by their headers, and what is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid
from scripts.data.dicom.index import read_index
from scripts.errors import InputError
from tests.data.dicom.series import write_series

AFFINE = np.diag([1.0, 1.0, 3.0, 1.0])


def write(folder: Path, **settings: Any) -> str:
    return write_series(folder, np.ones((5, 4, 6)), AFFINE, **{"patient": "P-01", **settings})


def refused(folder: Path, uid: str = "") -> str:
    with pytest.raises(InputError) as found:
        read_index(folder).series[uid].ordered()
    assert "\n" not in str(found.value)
    return str(found.value)


def test_ids_are_those_of_the_headers_and_pixels_stay_where_they_are(tmp_path: Path, monkeypatch: Any) -> None:
    uid = write(tmp_path / "a", patient="P-01 ")
    (tmp_path / "notes.txt").write_text("no DICOM", encoding="utf-8")
    read, asked = pydicom.dcmread, []
    monkeypatch.setattr(pydicom, "dcmread", lambda *args, **named: (asked.append(named), read(*args, **named))[1])
    index = read_index(tmp_path)
    assert all(named["stop_before_pixels"] for named in asked)
    assert (index.series[uid].patient, index.series[uid].age, index.series[uid].sex) == ("P-01", "045Y", "O")
    assert index.foreign == [str(tmp_path / "notes.txt")]
    places = [one.position[2] for one in index.series[uid].ordered()]
    assert places == sorted(places)


@pytest.mark.parametrize(("without", "count"), [([2], 1), ([2, 3], 2), ([1, 4], 2)])
def test_missing_slices_are_counted(tmp_path: Path, without: list[int], count: int) -> None:
    uid = write(tmp_path / "a", without=without)
    assert f"{count} slices are missing" in refused(tmp_path, uid)
    assert uid in refused(tmp_path, uid)


def test_doubled_slices_are_named(tmp_path: Path) -> None:
    uid = write(tmp_path / "a")
    write(tmp_path / "b", series=uid, study=read_index(tmp_path).series[uid].study, without=range(1, 6))
    assert "1 doubled slices" in refused(tmp_path, uid)


def test_uneven_distances_are_named(tmp_path: Path) -> None:
    uid = write(tmp_path / "a")
    path = read_index(tmp_path).series[uid].ordered()[2].path
    header = pydicom.dcmread(path)
    header.ImagePositionPatient[2] += 0.8
    header.save_as(path)
    assert "even distances" in refused(tmp_path, uid)


def test_a_slice_of_another_stack(tmp_path: Path) -> None:
    uid = write(tmp_path / "a")
    path = read_index(tmp_path).series[uid].slices[0].path
    header = pydicom.dcmread(path)
    header.ImageOrientationPatient = [0, 1, 0, 0, 0, 1]
    header.save_as(path)
    assert "one stack of slices" in refused(tmp_path, uid)


@pytest.mark.parametrize("name", ["PatientID", "StudyInstanceUID"])
def test_a_series_of_two(tmp_path: Path, name: str) -> None:
    uid = write(tmp_path / "a")
    path = sorted((tmp_path / "a").iterdir())[-1]
    header = pydicom.dcmread(path)
    setattr(header, name, generate_uid())
    header.save_as(path)
    assert f"{path.name}: has {name}" in refused(tmp_path, uid)


def test_a_file_without_a_patient(tmp_path: Path) -> None:
    write(tmp_path / "a", patient="")
    assert "has no PatientID" in refused(tmp_path)


def test_a_damaged_header_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a")
    path = sorted((tmp_path / "a").iterdir())[0]
    path.write_bytes(path.read_bytes()[:140] + b"\xff" * 40)
    assert path.name in refused(tmp_path)


def test_a_link_that_leads_out(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.dcm").symlink_to(sorted((tmp_path / "elsewhere").iterdir())[0])
    assert "leads out of" in refused(tmp_path / "data")


def test_what_is_no_stack_of_slices_is_told_apart(tmp_path: Path) -> None:
    frames = write(tmp_path / "a", NumberOfFrames=2)
    nowhere = write(tmp_path / "b", ImagePositionPatient=None)
    assert read_index(tmp_path).others == {frames: "several frames in one file", nowhere: "no place in the patient"}
