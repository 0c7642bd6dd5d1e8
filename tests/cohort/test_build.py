"""From the settings of a config to a cohort."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripts.cohort.build import build_cohort, left_out, record_split, request_name, training_records
from scripts.cohort.cohort import SETS, image_ids, units
from scripts.cohort.model_record import ModelRecord
from scripts.cohort.split_file import RecordedSplit
from scripts.errors import InputError, Refused
from tests.cohort.conftest import Listed, patients

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


# ---- the recorded split and the model's record ----

SHARES = {"validation_share": 0.2, "test_share": 0.2, "folds": 2}


def written(tmp_path: Path, source, **settings):
    """Train on a source: split and record of a model, without weights of use."""
    model = tmp_path / "model.pt"
    cohort = build_cohort(source, split_path=tmp_path / "split.json", **{**SHARES, **settings})
    record_split(tmp_path / "split.json", cohort)
    ModelRecord.of(cohort).write(model)
    model.write_bytes(b"")
    return cohort


def asked_for(tmp_path: Path, *ids: str, level: str = "patient") -> str:
    path = tmp_path / "asked.csv"
    path.write_text(HEADER + "".join(f"r-8,{level},{one},2026-01-31,erasure_request\n" for one in ids))
    return str(path)


def served(tmp_path: Path, source, **settings):
    """The cohort of a workflow that takes the model as its teacher."""
    paths = {"split_path": tmp_path / "split.json", "model": tmp_path / "model.pt"}
    return build_cohort(source, **{**SHARES, **paths, **settings})


@settings(max_examples=25, deadline=None)
@given(
    before=st.sets(st.integers(0, 60), min_size=14, max_size=24),
    came=st.sets(st.integers(61, 99), max_size=8),
    data=st.data(),
)
def test_a_request_for_a_trained_patient_is_always_resolved(tmp_path_factory, before, came, data) -> None:
    folder = tmp_path_factory.mktemp("grown")
    then = Listed([record for number in sorted(before) for record in patients(1, start=number)])
    trained = written(folder, then)
    there = sorted({record["patient_id"] for record in trained.retain})
    asked = data.draw(st.sampled_from(there))
    left = data.draw(st.sets(st.sampled_from([one for one in there if one != asked]), max_size=len(there) - 2))
    records = [record for record in then.listed if record["patient_id"] not in left]
    records += [record for number in sorted(came) for record in patients(1, start=number)]
    data.draw(st.randoms(use_true_random=False)).shuffle(records)
    now = served(folder, Listed(records), request=asked_for(folder, asked))
    assert {record["patient_id"] for record in now.forget} == {asked}
    assert {record["patient_id"] for record in now.retain} == set(there) - left - {asked}
    new = {f"p{number:02d}" for number in came}
    held = {one for name in ("selection", "validation", "test", "guard") for one in units(now.named(name))}
    assert not held & set(there) and set(now.resolution["not_in_model"]["patients"]) == new - held
    assert {one: now.folds[one] for one in now.folds if one in trained.folds} == {
        one: fold for one, fold in trained.folds.items() if one not in left
    }


def test_who_came_later_is_answered_truthfully(tmp_path, listed, make_patients, capsys) -> None:
    trained = written(tmp_path, listed(make_patients(14)))
    grown = listed(make_patients(40))
    later = [f"p{number}" for number in range(14, 40)]
    for one in later:
        with pytest.raises(InputError, match=f"the model was not trained on patient '{one}' .*model.pt"):
            served(tmp_path, grown, request=asked_for(tmp_path, one))
    both = served(tmp_path, grown, request=asked_for(tmp_path, trained.retain[0]["patient_id"], "p20"))
    assert units(both.forget) == (trained.retain[0]["patient_id"],)
    assert "the model was not trained on patient 'p20'" in capsys.readouterr().out
    assert not [name for name in SETS if "p20" in both.resolution["patients"][name]]


def test_without_the_split_a_trained_patient_is_never_denied(tmp_path, listed, make_patients) -> None:
    """The rule would hold out others in what is left of the data set: refused, by the model's name."""
    trained = written(tmp_path, listed(make_patients(20)))
    held = {one for name in ("selection", "validation", "test") for one in units(trained.named(name))}
    less = listed([record for record in make_patients(20) if record["patient_id"] not in held])
    for one in units(trained.retain):
        with pytest.raises(InputError, match=r"model\.pt: was trained on patient .*give the split\.json of its"):
            served(tmp_path, less, split_path=tmp_path / "none.json", request=asked_for(tmp_path, one))
    with pytest.raises(InputError, match=r"split\.json: no patient of the selection set is left"):
        served(tmp_path, less)


def test_images_that_came_later_are_in_no_set(tmp_path, listed, make_patients, capsys) -> None:
    records = make_patients(14)
    trained = written(tmp_path, listed(records))
    asked, other = (trained.retain[index]["patient_id"] for index in (0, -1))
    new = [{**records[0], "image_id": f"new-{one}", "patient_id": one} for one in (asked, other)]
    now = served(tmp_path, listed([*records, *new]), request=asked_for(tmp_path, asked))
    assert f"new-{asked}" not in image_ids(now.forget) and len(now.forget) == 2
    assert now.resolution["not_trained_on"] == {"training": [f"new-{asked}"]}
    assert now.resolution["not_in_model"]["images"] == [f"new-{other}"]
    assert "1 images of the requested patients were not trained on" in capsys.readouterr().out


def test_renamed_images_of_a_trained_patient_are_refused(tmp_path, listed, make_patients) -> None:
    records = make_patients(14)
    asked = written(tmp_path, listed(records)).retain[0]["patient_id"]
    renamed = [{**one, "image_id": f"{one['image_id']}.png"} if one["patient_id"] == asked else one for one in records]
    with pytest.raises(InputError, match=f"was trained on patient '{asked}', but on none of the images"):
        served(tmp_path, listed(renamed), request=asked_for(tmp_path, asked))
    everything = [{**one, "image_id": f"{one['image_id']}.png"} for one in records]
    with pytest.raises(InputError, match="trained on none of the"):
        served(tmp_path, listed(everything))


def test_a_teacher_without_a_record(tmp_path, source, request_file, capsys) -> None:
    model = tmp_path / "foreign.pt"
    with pytest.raises(InputError, match=r"foreign\.pt: no such checkpoint"):
        build_cohort(source, model=model)
    model.write_bytes(b"")
    with pytest.raises(InputError, match=r"foreign\.pt: has no record .*trust_unrecorded: true"):
        build_cohort(source, model=model, request=request_file)
    made = build_cohort(source, model=model, request=request_file, trust_unrecorded=True)
    assert made.resolution["trusted"] is True and capsys.readouterr().out.count("warning: ") == 1
    held = asked_for(tmp_path, made.test[0]["patient_id"])
    with pytest.raises(InputError) as caught:
        build_cohort(source, model=model, request=held, trust_unrecorded=True)
    assert "not trained on" not in str(caught.value) and "no record of who was in it" in str(caught.value)


def test_the_number_of_folds_stands_where_fold_teachers_are(tmp_path, source) -> None:
    first = written(tmp_path, source, folds=0)
    later = written(tmp_path, source, folds=3)
    assert not first.folds and set(later.folds) == set(units(later.retain))
    assert dict(build_cohort(source, split_path=tmp_path / "split.json", **{**SHARES, "folds": 0}).folds) == later.folds
    build_cohort(source, split_path=tmp_path / "split.json", **SHARES)
    (tmp_path / "model_fold0.pt").write_bytes(b"")
    with pytest.raises(InputError, match=r"split\.json: the split was made with folds = 3, not 2"):
        build_cohort(source, split_path=tmp_path / "split.json", **SHARES)


def test_a_later_training_adds_who_is_new_and_moves_nobody(tmp_path, listed, make_patients, capsys) -> None:
    path = tmp_path / "split.json"
    left = units(written(tmp_path, listed(make_patients(14))).retain)[:2]
    before = RecordedSplit.read(path)
    content = path.read_bytes()
    there = [record for record in make_patients(20) if record["patient_id"] not in left]
    written(tmp_path, listed([record for record in there if record["patient_id"] < "p14"]))
    assert path.read_bytes() == content
    written(tmp_path, listed(there))
    after = RecordedSplit.read(path)
    assert before is not None and after is not None and before.places.items() <= after.places.items()
    assert len(after.places) == 20 and before.fold.items() <= after.fold.items()
    assert "split.json: 6 new patients were added" in capsys.readouterr().out


def test_two_first_trainings_at_once_keep_one_split(tmp_path, listed, make_patients) -> None:
    """Each made the split under a salt of its own; the second finds the first one's file."""
    path = tmp_path / "split.json"
    cohorts = [build_cohort(listed(make_patients(14)), split_path=path, **SHARES) for _ in range(2)]
    record_split(path, cohorts[0])
    content = path.read_bytes()
    record_split(path, cohorts[1])
    assert path.read_bytes() == content
    other = build_cohort(listed(make_patients(30)[20:]), **SHARES)
    record_split(tmp_path / "other.json", other)
    with pytest.raises(InputError, match="holds another split"):
        record_split(tmp_path / "other.json", build_cohort(listed(make_patients(30)), **SHARES))


# ---- what was forgotten before ----


def without(folder: Path, patient: str, count: int) -> None:
    """The teacher's record after it forgot the first images of a patient."""
    model = folder / "model.pt"
    record = ModelRecord.read(model)
    assert record is not None
    record.without({patient: [f"i{patient[1:]}-{number}" for number in range(count)]}).write(model)


def test_a_teacher_that_knows_who_was_forgotten_before_is_refused(tmp_path, listed, make_patients) -> None:
    source = listed(make_patients(14))
    gone, asked = units(written(tmp_path, source).retain)[:2]
    with pytest.raises(InputError, match=f"trained on patient '{gone}', who was forgotten before; give as model_dir"):
        served(tmp_path, source, request=asked_for(tmp_path, asked), gone_images=[f"i{gone[1:]}-0"])


def test_what_was_forgotten_before_is_in_no_set(tmp_path, listed, make_patients, capsys) -> None:
    source = listed(make_patients(14))
    trained = written(tmp_path, source)
    gone, asked = units(trained.retain)[:2]
    without(tmp_path, gone, 2)
    for images in ([f"i{gone[1:]}-0", f"i{gone[1:]}-1"], lambda records: [f"i{gone[1:]}-0", f"i{gone[1:]}-1"]):
        now = served(tmp_path, source, request=asked_for(tmp_path, asked), gone_images=images)
        assert not [name for name in SETS if gone in now.resolution["patients"][name]]
        assert image_ids(now.gone) == [f"i{gone[1:]}-0", f"i{gone[1:]}-1"]
        assert now.resolution["gone"] == {"images": 2, "patients": [gone]}
        assert "tombstones: 2 images of 1 patient left out, forgotten before" in capsys.readouterr().out
        with pytest.raises(KeyError):
            now.named("gone")
    for level, one in (("patient", gone), ("image", f"i{gone[1:]}-0")):
        with pytest.raises(Refused, match=f"{level} '{one}' was forgotten before"):
            served(tmp_path, source, request=asked_for(tmp_path, one, level=level), gone_images=images)


def test_a_training_leaves_them_out_and_writes_nothing_of_them(tmp_path, listed, make_patients) -> None:
    records = make_patients(14)
    gone = units(build_cohort(listed(records), **SHARES).retain)[0]
    out = [record["image_id"] for record in records if record["patient_id"] == gone]
    made = written(tmp_path, listed(records), gone_images=out)
    assert gone not in units(training_records(made))
    split = RecordedSplit.read(tmp_path / "split.json")
    assert split is not None and len(split.places) == 13 and split.digest(gone) not in split.places


def test_one_image_of_a_patient_may_be_gone(tmp_path, listed, make_patients) -> None:
    source = listed(make_patients(14))
    asked = written(tmp_path, source).retain[0]["patient_id"]
    without(tmp_path, asked, 1)
    now = served(tmp_path, source, request=asked_for(tmp_path, asked), gone_images=[f"i{asked[1:]}-0"])
    assert image_ids(now.forget) == [f"i{asked[1:]}-1"]


# ---- a class against fold teachers ----


def test_a_class_cannot_be_unlearned_with_fold_teachers(tmp_path, listed, make_patients) -> None:
    source, request = listed(make_patients(14)), asked_for(tmp_path, "BKL", level="class")
    written(tmp_path, source)
    with pytest.raises(InputError, match="reference: .*class 'BKL'.*reference: none, or goal: suppress"):
        served(tmp_path, source, request=request, goal="unlearn", reference="fold")
    for allowed in ({"goal": "suppress", "reference": "fold"}, {"goal": "unlearn", "reference": "none"}):
        assert served(tmp_path, source, request=request, **allowed).forget
