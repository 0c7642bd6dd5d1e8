"""What the request was taken to mean."""

from __future__ import annotations

import dataclasses
import json

import pytest
from scripts.cohort.fingerprints import Fingerprints
from scripts.errors import InputError
from scripts.record.resolution import WriteResolution, compare_resolution
from scripts.record.run_folder import RunFolder


@pytest.mark.parametrize("look", [True, False])
def test_resolution_of_the_cohort(bench, tmp_path, look: bool) -> None:
    folder = RunFolder(output_dir=tmp_path, log=False)
    # A copy of a forget image under another patient's name.
    twin = {**bench.cohort.forget[0], "image_id": "twin", "patient_id": "other"}
    cohort = dataclasses.replace(bench.cohort, validation=(*bench.cohort.validation, twin))
    WriteResolution(folder=folder, cohort=cohort, prints=Fingerprints(bench.source.loading()) if look else None)()
    found = json.loads(folder.resolution.read_text())
    assert found["request"]["ids"] == sorted({record["patient_id"] for record in cohort.forget})
    assert found["images"]["forget"] == sorted(record["image_id"] for record in cohort.forget)
    if look:
        near = [pair for pair in found["near_duplicates"] if pair["image"] == "twin"]
        assert near and near[0]["forget"] == twin["image"] and near[0]["distance"] == 0
    else:
        assert found["near_duplicates"] is None


@pytest.mark.parametrize("needed", [True, False])
def test_look_alikes_of_images_that_cannot_be_read(bench, tmp_path, needed: bool, monkeypatch, capsys) -> None:
    def unreadable(*_: object) -> None:
        raise InputError("p1.png: cannot be read")

    monkeypatch.setattr("scripts.record.resolution.with_near_duplicates", unreadable)
    folder = RunFolder(output_dir=tmp_path, log=False)
    write = WriteResolution(
        folder=folder, cohort=bench.cohort, prints=Fingerprints(bench.source.loading()), needs_images=needed
    )
    if needed:
        with pytest.raises(InputError, match="cannot be read"):
            write()
        assert not folder.resolution.exists()
        return
    write()
    assert json.loads(folder.resolution.read_text())["near_duplicates"] is None
    assert "look-alikes were not searched for: p1.png: cannot be read" in capsys.readouterr().out


def test_what_is_drawn_from_is_counted_and_not_named(bench, tmp_path) -> None:
    folder = RunFolder(output_dir=tmp_path, log=False)
    loaders = bench.loaders(retain_images=4)
    loaders.joint(forget=2, retain=2, guard=2, steps=1)
    settings = {
        "folder": folder,
        "cohort": bench.cohort,
    }
    WriteResolution(**settings, loaders=loaders)()
    found = json.loads(folder.resolution.read_text())
    counts = {"images": 4, "patients": 2, "available": len(bench.cohort.retain), "looked_at": 0}
    assert found["drawn_from"]["retain"].pop("choosing_seconds") >= 0
    assert found["drawn_from"] == {"retain": counts} and found["sizes"] == bench.cohort.sizes()
    assert "drawn_from" not in bench.cohort.resolution


def test_a_run_is_compared_with_what_is_asked_for_now(bench, tmp_path) -> None:
    folder = RunFolder(output_dir=tmp_path, log=False)
    # Nothing was forgotten here yet: nothing to compare with.
    compare_resolution(folder=folder, cohort=bench.cohort)
    WriteResolution(folder=folder, cohort=bench.cohort)()
    compare_resolution(folder=folder, cohort=bench.cohort)
    fewer = dataclasses.replace(bench.cohort, forget=bench.cohort.forget[1:])
    with pytest.raises(InputError, match="forgot other images"):
        compare_resolution(folder=folder, cohort=fewer)
    later = {**bench.cohort.resolution["request"], "requested_on": "2026-02-01"}
    renamed = dataclasses.replace(bench.cohort, resolution={**bench.cohort.resolution, "request": later})
    with pytest.raises(InputError, match="holds a run of another request .requested_on differ."):
        compare_resolution(folder=folder, cohort=renamed)
    patients = {**bench.cohort.resolution["patients"], "forget": ["another"]}
    moved = dataclasses.replace(bench.cohort, resolution={**bench.cohort.resolution, "patients": patients})
    with pytest.raises(InputError, match="holds a run with other patients in 'forget'"):
        compare_resolution(folder=folder, cohort=moved)
    folder.resolution.write_text("{}")
    with pytest.raises(InputError, match="not a readable resolution"):
        compare_resolution(folder=folder, cohort=bench.cohort)


def test_a_look_alike_under_another_name_is_said_on_the_terminal(bench, tmp_path, capsys) -> None:
    folder = RunFolder(output_dir=tmp_path, log=False)
    twin = {**bench.cohort.forget[0], "image_id": "twin", "patient_id": "other"}
    cohort = dataclasses.replace(bench.cohort, validation=(*bench.cohort.validation, twin))
    WriteResolution(folder=folder, cohort=cohort, prints=Fingerprints(bench.source.loading()))()
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "in validation" in said and f"'twin' like '{twin['image']}'" in said


def test_the_resolution_of_another_request_is_left_alone(bench, tmp_path) -> None:
    folder = RunFolder(output_dir=tmp_path, log=False)
    settings = {
        "folder": folder,
    }
    WriteResolution(cohort=bench.cohort, **settings)()
    before = folder.resolution.read_bytes()
    fewer = dataclasses.replace(bench.cohort, forget=bench.cohort.forget[1:])
    moved = dataclasses.replace(bench.cohort, retain=bench.cohort.retain[1:])
    asked = {**bench.cohort.resolution["request"], "request_id": "request-2"}
    renamed = dataclasses.replace(bench.cohort, resolution={**bench.cohort.resolution, "request": asked})
    for cohort, words in ((fewer, "forgot other images"), (moved, "'retain'"), (renamed, "of another request")):
        with pytest.raises(InputError, match=words):
            WriteResolution(cohort=cohort, **settings)()
    WriteResolution(cohort=bench.cohort, **settings)()
    assert folder.resolution.read_bytes() == before


@pytest.mark.parametrize("left", ["private/adapter/adapter_config.json", "release/student.pt"])
def test_a_student_without_its_resolution_is_no_new_run(bench, tmp_path, left: str) -> None:
    folder = RunFolder(output_dir=tmp_path, log=False)
    WriteResolution(folder=folder, cohort=bench.cohort)()
    folder.note(state="trial", goal="unlearn")
    path = folder.root / left
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    folder.resolution.unlink()
    with pytest.raises(InputError, match="holds a student without resolution.json"):
        WriteResolution(folder=folder, cohort=bench.cohort)()
    assert not folder.resolution.exists()
