"""What the request was taken to mean."""

from __future__ import annotations

import dataclasses
import json

import pytest

from scripts.record.resolution import WriteResolution
from scripts.record.run_folder import RunFolder


@pytest.mark.parametrize("look", [True, False])
def test_resolution_of_the_cohort(bench, tmp_path, look: bool) -> None:
    folder = RunFolder(output_dir=tmp_path, log=False)
    # A copy of a forget image under another patient's name.
    twin = {**bench.cohort.forget[0], "image_id": "twin", "patient_id": "other"}
    cohort = dataclasses.replace(bench.cohort, validation=(*bench.cohort.validation, twin))
    WriteResolution(folder=folder, cohort=cohort, source=bench.source, near_duplicates=look)()
    found = json.loads(folder.resolution.read_text())
    assert found["request"]["ids"] == sorted({record["patient_id"] for record in cohort.forget})
    assert found["images"]["forget"] == sorted(record["image_id"] for record in cohort.forget)
    if look:
        near = [pair for pair in found["near_duplicates"] if pair["image"] == "twin"]
        assert near and near[0]["forget"] == twin["image"] and near[0]["distance"] == 0
    else:
        assert found["near_duplicates"] is None
