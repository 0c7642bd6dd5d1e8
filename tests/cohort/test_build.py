"""From the settings of a config to a cohort."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.cohort.build import build_cohort, left_out, request_name, training_records
from scripts.errors import InputError

HEADER = "request_id,level,id,requested_on,ground\n"


@pytest.fixture
def request_file(tmp_path: Path):
    path = tmp_path / "request.csv"
    path.write_text(HEADER + "r-7,patient,p02,2026-01-31,erasure_request\n")
    return str(path)


@pytest.fixture
def source(listed, make_patients):
    held_out = make_patients(4, split="test", start=20) + make_patients(4, split="validation", start=30)
    return listed(make_patients(12) + held_out)


def test_request_file_or_share_or_neither(source, request_file) -> None:
    asked = build_cohort(source, request=request_file)
    assert {record["patient_id"] for record in asked.forget} == {"p02"} and request_name(asked) == "r-7"
    drawn = build_cohort(source, forget_ratio=0.25, seed=3)
    assert drawn.forget and request_name(drawn) == "ratio-0.25-seed-3"
    assert build_cohort(source).forget == ()


def test_both_or_none_where_one_is_needed(source, request_file) -> None:
    with pytest.raises(InputError, match="both given; give one"):
        build_cohort(source, request=request_file, forget_ratio=0.1)
    with pytest.raises(InputError, match="nothing to forget; give --request FILE"):
        build_cohort(source, needs_forget=True)


def test_a_model_is_trained_on_retain_without_its_fold(source, request_file) -> None:
    whole = build_cohort(source, folds=3)
    everything = {record["image_id"] for record in training_records(whole)}
    assert everything == {record["image_id"] for record in whole.training()}
    parts = [{record["image_id"] for record in training_records(whole, fold=fold)} for fold in range(3)]
    out = [everything - part for part in parts]
    assert set().union(*out) == everything and sum(map(len, out)) == len(everything) and all(out)
    asked = build_cohort(source, request=request_file, folds=3)
    assert training_records(asked) == training_records(whole)
    left = left_out(asked)
    assert left and {training_records(asked)[position]["patient_id"] for position in left} == {"p02"}
    kept = [record for position, record in enumerate(training_records(asked)) if position not in left]
    assert {record["image_id"] for record in kept} == {record["image_id"] for record in asked.retain}
    assert left_out(whole) == []
