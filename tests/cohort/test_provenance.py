"""A model is used with the split it was trained on, or not at all."""

from __future__ import annotations

import json

import pytest

from scripts.cohort import resolve
from scripts.cohort.provenance import check_provenance, provenance_path, write_provenance
from scripts.errors import InputError


@pytest.fixture
def cohort(listed, make_patients):
    source = listed(make_patients(20))
    return lambda **settings: resolve(source, **{"folds": 3, "validation_share": 0.2} | settings)


def test_same_split_passes_and_no_id_is_written(tmp_path, cohort) -> None:
    model = tmp_path / "model.pt"
    write_provenance(model, cohort(), epochs=3)
    assert check_provenance(model, cohort()) == model
    assert provenance_path(model) == tmp_path / "model.json"
    content = provenance_path(model).read_text()
    assert json.loads(content)["training"] == {"epochs": 3}
    assert not [record["patient_id"] for record in cohort().retain if record["patient_id"] in content]


@pytest.mark.parametrize(
    ("other", "text"),
    [
        ({"seed": 1}, "trained with split_seed = 0, not 1"),
        ({"validation_share": 0.3}, "trained with validation_share = 0.2, not 0.3"),
        ({"guard_share": 0.1}, "trained with guard_share = 0.0, not 0.1"),
    ],
)
def test_another_split_is_refused(tmp_path, cohort, other, text) -> None:
    write_provenance(tmp_path / "model.pt", cohort())
    with pytest.raises(InputError, match=text):
        check_provenance(tmp_path / "model.pt", cohort(**other))


def test_the_number_of_folds_matters_to_a_fold_teacher_alone(tmp_path, cohort) -> None:
    write_provenance(tmp_path / "model.pt", cohort())
    check_provenance(tmp_path / "model.pt", cohort(folds=5))
    write_provenance(tmp_path / "model_fold1.pt", cohort(), fold=1)
    with pytest.raises(InputError, match="trained with folds = 3, not 5"):
        check_provenance(tmp_path / "model_fold1.pt", cohort(folds=5))


def test_weights_without_a_record_pass(tmp_path, cohort) -> None:
    assert check_provenance(tmp_path / "foreign.pt", cohort()) == tmp_path / "foreign.pt"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"data_set": "a", "split": {}}'])
def test_a_damaged_record_is_named(tmp_path, cohort, content: str) -> None:
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(InputError, match=r"model\.json: not a readable record of a training"):
        check_provenance(tmp_path / "model.pt", cohort())
