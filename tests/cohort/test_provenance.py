"""A model is asked only what its record says that it can answer."""

from __future__ import annotations

import json

import pytest
from scripts.cohort import resolve
from scripts.cohort.membership import record_path
from scripts.cohort.model_record import ModelRecord, trained_on
from scripts.cohort.provenance import check_fold_teacher, check_provenance, recorded_membership
from scripts.errors import InputError
from scripts.request import Request


@pytest.fixture
def cohort(listed, make_patients):
    source = listed(make_patients(20))
    return lambda **settings: resolve(source, **{"folds": 3, "validation_share": 0.2} | settings)


@pytest.fixture
def asked(cohort):
    """A cohort with two patients to forget, of different folds."""
    base = cohort()
    ids = sorted(min(unit for unit, fold in base.folds.items() if fold == own) for own in (0, 1))
    return lambda **settings: cohort(request=Request("r", "patient", tuple(ids), "2026-01-31", "research"), **settings)


def without_held_out(cohort, records):
    """What is left when the held-out patients leave: by the rule, others would take their places."""
    kept = {record["patient_id"] for record in cohort.retain}
    return [record for record in records if record["patient_id"] in kept]


def test_the_record_says_who_was_in_the_model_and_names_nobody(tmp_path, cohort) -> None:
    model, made = tmp_path / "model.pt", cohort()
    ModelRecord.of(made, settings={"epochs": 3}, identity={"data": "x"}).write(model)
    assert check_provenance(model, made) == model and record_path(model) == tmp_path / "model.json"
    text = record_path(model).read_text()
    content = json.loads(text)
    assert content["training"] == {"epochs": 3} and content["identity"] == {"data": "x"} and content["left_out"] == 0
    assert content["split"]["folds"] == 3 and content["fold"] == -1 and content["data_set"] == "listed"
    assert not [record for record in made.retain if record["patient_id"] in text or record["image_id"] in text]
    membership = recorded_membership(model)
    assert membership is not None and all(membership.saw_image(record["image_id"]) for record in made.retain)
    assert not any(membership.saw(record["patient_id"]) for record in made.test + made.validation + made.selection)
    assert ModelRecord.read(model) == ModelRecord.of(made, settings={"epochs": 3}, identity={"data": "x"})


def test_a_retrained_model_says_what_was_left_out(tmp_path, asked) -> None:
    ModelRecord.of(asked()).write(tmp_path / "model.pt")
    record = ModelRecord.read(tmp_path / "model.pt")
    assert record is not None and record.left_out == 4 == len(asked().forget)
    assert record.membership is not None and not record.membership.saw(asked().forget[0]["patient_id"])
    assert [one["image_id"] for one in trained_on(asked())] == [one["image_id"] for one in asked().retain]


@pytest.mark.parametrize(
    ("other", "text"),
    [
        ({"seed": 1}, "trained with split_seed = 0, not 1"),
        ({"validation_share": 0.3}, "trained with validation_share = 0.2, not 0.3"),
        ({"guard_share": 0.1}, "trained with guard_share = 0.0, not 0.1"),
    ],
)
def test_another_split_is_refused(tmp_path, cohort, other, text) -> None:
    ModelRecord.of(cohort()).write(tmp_path / "model.pt")
    with pytest.raises(InputError, match=text):
        check_provenance(tmp_path / "model.pt", cohort(**other))


def test_the_number_of_folds_matters_to_a_fold_teacher_alone(tmp_path, cohort, asked) -> None:
    ModelRecord.of(cohort()).write(tmp_path / "model.pt")
    check_provenance(tmp_path / "model.pt", cohort(folds=5))
    ModelRecord.of(cohort(), fold=1).write(tmp_path / "model_fold1.pt")
    with pytest.raises(InputError, match="trained with folds = 3, not 5"):
        check_fold_teacher(tmp_path / "model_fold1.pt", asked(folds=5), ())


def test_a_fold_teacher_is_no_teacher(tmp_path, cohort) -> None:
    ModelRecord.of(cohort(), fold=1).write(tmp_path / "model_fold1.pt")
    with pytest.raises(InputError, match=r"model_fold1\.pt: was trained without fold 1"):
        check_provenance(tmp_path / "model_fold1.pt", cohort())


def test_a_retrained_model_has_nothing_to_forget(tmp_path, asked) -> None:
    ModelRecord.of(asked()).write(tmp_path / "retrained.pt")
    with pytest.raises(InputError, match=r"retrained\.pt: was not trained on 4 of the 4 .* 4 images of a request"):
        check_provenance(tmp_path / "retrained.pt", asked())


def test_a_model_that_was_trained_on_held_out_patients_is_refused(tmp_path, listed, make_patients) -> None:
    made = resolve(listed(make_patients(20)), validation_share=0.2)
    ModelRecord.of(made).write(tmp_path / "model.pt")
    less = resolve(listed(without_held_out(made, make_patients(20))), validation_share=0.2)
    with pytest.raises(InputError, match=r"model\.pt: was trained on patient 'p\d+'.*whom the split places in"):
        check_provenance(tmp_path / "model.pt", less)


@pytest.mark.parametrize("old", [False, True])
def test_weights_without_a_record_need_trust_and_are_said_to(tmp_path, cohort, capsys, old: bool) -> None:
    model, made = tmp_path / "foreign.pt", cohort()
    if old:
        ModelRecord.of(made).write(model)
        content = json.loads(record_path(model).read_text())
        record_path(model).write_text(json.dumps({key: content[key] for key in ("data_set", "split", "fold")}))
    with pytest.raises(InputError, match=r"foreign\.pt: has .*foreign\.json.*trust_unrecorded: true"):
        check_provenance(model, made)
    assert made.resolution["trusted"] is False
    assert check_provenance(model, made, trust_unrecorded=True) == model
    assert made.resolution["trusted"] is True
    assert check_provenance(model, made, trust_unrecorded=True) == model
    assert capsys.readouterr().out.count("warning: ") == 1
    if old:
        with pytest.raises(InputError, match="split_seed = 0, not 1"):
            check_provenance(model, cohort(seed=1), trust_unrecorded=True)


def test_a_fold_teacher_answers_for_its_own_fold(tmp_path, cohort, asked) -> None:
    made = asked()
    for fold in range(3):
        ModelRecord.of(cohort(), fold=fold).write(tmp_path / f"model_fold{fold}.pt")
    own = {fold: [record for record in made.forget if made.fold_of(record) == fold] for fold in (0, 1)}
    for fold in (0, 1):
        assert check_fold_teacher(tmp_path / f"model_fold{fold}.pt", made, own[fold]).name == f"model_fold{fold}.pt"
    patient = own[1][0]["patient_id"]
    with pytest.raises(
        InputError, match=rf"model_fold0\.pt: was trained on patient '{patient}', who is to be forgotten"
    ):
        check_fold_teacher(tmp_path / "model_fold0.pt", made, own[1])


def test_a_fold_teacher_that_saw_the_selection_set_is_refused(tmp_path, listed, make_patients) -> None:
    made = resolve(listed(make_patients(20)), folds=2)
    less = resolve(listed(without_held_out(made, make_patients(20))), folds=2)
    ModelRecord.of(made, fold=0).write(tmp_path / "model_fold0.pt")
    ModelRecord.of(made, fold=1).write(tmp_path / "model_fold1.pt")
    # Each of the two saw all patients but those of its own fold.
    name = f"model_fold{1 - made.folds[less.selection[0]['patient_id']]}.pt"
    with pytest.raises(InputError, match=rf"{name}: was trained on patient .*'selection'"):
        check_fold_teacher(tmp_path / name, less, ())


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"data_set": "a", "split": {}}',
        '{"data_set": "a", "fold": "1", "split": {}}',
        '{"data_set": 3}',
    ],
)
@pytest.mark.parametrize("trust", [False, True])
def test_a_damaged_record_is_named(tmp_path, cohort, content: str, trust: bool) -> None:
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(InputError, match=r"model\.json: is not a readable record"):
        check_provenance(tmp_path / "model.pt", cohort(), trust_unrecorded=trust)


def test_the_shipped_models_have_records_and_a_split(repository, tmp_path) -> None:
    from scripts.cohort.build import build_cohort
    from scripts.data import build_source

    shares = {"seed": 0, "validation_share": 0.2, "test_share": 0.2}
    models = repository / "models"
    settings = {"folds": 5, "split_path": models / "split.json", "model": models / "model.pt", **shares}
    made = build_cohort(build_source("phantom"), **settings)
    ruled = build_cohort(build_source("phantom"), folds=5, **shares)
    assert made.resolution == ruled.resolution
    for fold in range(5):
        record = ModelRecord.read(models / f"model_fold{fold}.pt")
        assert record is not None and record.membership is not None and record.fold == fold
        held = [one for one in made.retain if made.fold_of(one) == fold]
        assert check_fold_teacher(models / f"model_fold{fold}.pt", made, held)
        assert sum(record.membership.saw_image(one["image_id"]) for one in made.retain) == len(made.retain) - len(held)
