"""The split is written once: whoever leaves or comes, the others stay where they are."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripts.cohort.membership import Membership
from scripts.cohort.split import PLACES, split_units
from scripts.cohort.split_file import RecordedSplit
from scripts.errors import InputError

SHARES = {"validation_share": 0.2, "test_share": 0.1, "guard_share": 0.1}
MADE = {"data_set": "listed", "seed": 0, **SHARES}
FEW = settings(max_examples=60, deadline=None)


def people(numbers, *, images=2, split=""):
    """Records of the patients with these numbers."""
    return [
        {"image_id": f"i{number:04d}-{image}", "patient_id": f"p{number:04d}"} | ({"split": split} if split else {})
        for number in numbers
        for image in range(images)
    ]


def first(records, *, folds=3, salt="salt", **other):
    return RecordedSplit.first(records, folds=folds, salt=salt, **{**MADE, **other})


def test_the_first_split_is_the_rule(make_patients) -> None:
    records = make_patients(20)
    made, rule = first(records).place(records), split_units(records, seed=0, folds=3, **SHARES)
    assert dict(made.place) == dict(rule.place) and dict(made.folds) == dict(rule.folds)


def test_it_is_read_as_it_was_written_by_its_owner_alone_and_names_nobody(tmp_path, make_patients) -> None:
    path = tmp_path / "split.json"
    assert RecordedSplit.read(path) is None
    made = first(make_patients(20))
    made.write(path)
    read = RecordedSplit.read(path)
    assert read is not None and read.path == str(path)
    assert read.place(make_patients(20)) == made.place(make_patients(20))
    assert path.stat().st_mode & 0o777 == 0o600 and '"p0' not in path.read_text()
    assert first(make_patients(20), salt="").salt != first(make_patients(20), salt="").salt


@FEW
@given(
    before=st.sets(st.integers(0, 60), min_size=14, max_size=30),
    came=st.sets(st.integers(61, 99), max_size=10),
    data=st.data(),
    official=st.booleans(),
    folds=st.sampled_from([0, 2, 3]),
)
def test_who_leaves_or_comes_moves_nobody(before, came, data, official, folds) -> None:
    held = people([200, 201, 202], split="test") + people([300, 301], split="validation") if official else []
    then = people(sorted(before)) + held
    made = first(then, folds=folds)
    old = made.place(then)
    left = data.draw(st.sets(st.sampled_from(sorted(before)), max_size=len(before) - 1))
    records = people(sorted(before - left)) + people(sorted(came)) + held
    data.draw(st.randoms(use_true_random=False)).shuffle(records)
    now = made.place(records)
    there = {record["patient_id"] for record in records}
    assert {unit: now.place[unit] for unit in there & set(old.place)} == {
        unit: place for unit, place in old.place.items() if unit in there
    }
    assert {unit: fold for unit, fold in now.folds.items() if unit in old.folds} == {
        unit: fold for unit, fold in old.folds.items() if unit in there
    }
    assert set(now.place) == there and set(now.place.values()) <= set(PLACES)
    assert set(now.folds) == {unit for unit in there if folds and now.place[unit] == "training"}


@FEW
@given(before=st.sets(st.integers(0, 60), min_size=14, max_size=30), left=st.integers(0, 8), came=st.integers(0, 8))
def test_no_fold_teacher_saw_the_patients_of_its_fold(before, left, came) -> None:
    """Fold teachers that were trained then and, after patients left and came, again."""
    made = first(people(sorted(before)))
    records = people(sorted(before)[left:]) + people(range(70, 70 + came))
    for split, those in ((made.place(people(sorted(before))), people(sorted(before))), (made.place(records), records)):
        for fold in range(3):
            trained = [record for record in those if split.folds.get(record["patient_id"], fold) != fold]
            teacher = Membership.of(trained, made.salt)
            asked = made.extended(records).place(records)
            assert not [unit for unit, own in asked.folds.items() if own == fold and teacher.saw(unit)]


@FEW
@given(before=st.sets(st.integers(0, 99), min_size=14, max_size=30), seed=st.integers(0, 99))
def test_the_order_of_the_records_changes_nothing(before, seed) -> None:
    records = people(sorted(before)) + people([200, 201], split="test")
    shuffled = random.Random(seed).sample(records, len(records))
    assert first(shuffled).place(records) == first(records).place(shuffled)
    assert first(shuffled).extended(people(range(100, 120))) == first(records).extended(people(range(119, 99, -1)))


def test_who_is_added_stays_where_he_was_seen_first(make_patients) -> None:
    made, records = first(people(range(20))), people(range(40))
    seen = made.place(records)
    kept = made.extended(records)
    assert kept.place(records) == seen == kept.extended(records).place(records)
    assert len(kept.places) == 40 and made.places.items() <= kept.places.items()


def test_new_patients_are_placed_by_the_shares() -> None:
    made, records = first(people(range(20))), people(range(100, 2100), images=1)
    now = made.place(records)
    counts = Counter(now.place.values())
    expected = {"training": 0.6, "guard": 0.1, "test": 0.1, "validation": 0.1, "selection": 0.1}
    for place, share in expected.items():
        assert counts[place] / 2000 == pytest.approx(share, abs=0.03)
    assert set(now.folds.values()) == {0, 1, 2} and max(Counter(now.folds.values()).values()) < 0.4 * counts["training"]


def test_official_places_stand_for_new_patients() -> None:
    then = people(range(20)) + people([200, 201], split="test")
    new = (
        people(range(210, 240), split="test") + people(range(300, 340), split="validation") + people(range(30, 230, 9))
    )
    now = first(then).place(then + new)
    assert {now.place[f"p{number:04d}"] for number in range(210, 240)} == {"test"}
    assert {now.place[f"p{number:04d}"] for number in range(300, 340)} == {"validation", "selection"}
    # The data set prescribes test and validation: of the others no share is taken for them.
    assert {now.place[f"p{number:04d}"] for number in range(30, 200, 9)} <= {"training", "guard"}


def test_images_that_are_held_out_later_are_not_trained_on() -> None:
    then = people(range(20))
    made = first(then)
    unit = next(unit for unit, place in made.place(then).place.items() if place == "training")
    later = {"image_id": "later", "patient_id": unit, "split": "test"}
    now = made.place([*then, later])
    assert now.place[unit] == "training" and now.straddling == ("later",)


def test_folds_may_come_later_once() -> None:
    records = people(range(20))
    made = first(records, folds=0)
    assert not made.place(records).folds
    later = made.with_folds(3, {record["patient_id"] for record in records[4:]})
    whole = first(records)
    assert later.folds == 3 and set(later.fold) == set(whole.fold)
    assert made.with_folds(3, {record["patient_id"] for record in records}).fold == whole.fold
    assert later.with_folds(0) is later and later.with_folds(3) is later and later.with_folds("auto") is later
    alone = made.with_folds("auto", {record["patient_id"] for record in records})
    assert alone.folds == min(10, list(alone.places.values()).count("training"))
    with pytest.raises(InputError, match="folds: 30 folds ask for as many training patients"):
        made.with_folds(30, {record["patient_id"] for record in records})


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"seed": 3}, "split_seed = 0, not 3"),
        ({"test_share": 0.3}, "test_share = 0.1, not 0.3"),
        ({"validation_share": 0.0}, "validation_share = 0.2, not 0.0"),
        ({"guard_share": 0.2}, "guard_share = 0.1, not 0.2"),
        ({"data_set": "chase"}, "dataset_name = 'listed', not 'chase'"),
    ],
)
def test_other_settings_are_refused_by_name(tmp_path, make_patients, other, words) -> None:
    first(make_patients(20)).write(tmp_path / "split.json")
    read = RecordedSplit.read(tmp_path / "split.json")
    assert read is not None
    read.check_settings(**MADE)
    with pytest.raises(InputError, match=f"split.json: the split was made with {words}"):
        read.check_settings(**{**MADE, **other})


def changed(**changes):
    return lambda content: {**content, **changes}


def entry(value):
    return lambda content: {**content, "patients": {**content["patients"], "a" * 64: value}}


@pytest.mark.parametrize(
    "change",
    [
        changed(version=2),
        changed(salt=7),
        changed(salt=""),
        changed(settings=[]),
        changed(settings={}),
        changed(folds="3"),
        changed(folds=True),
        changed(folds=1),
        changed(patients=[]),
        changed(more=1),
        lambda content: {**content, "patients": {"p01": {"place": "training", "fold": 0}}},
        lambda content: {**content, "settings": {**content["settings"], "test_share": "0.1"}},
        lambda content: [content],
        entry("training"),
        entry(None),
        entry({"place": "train", "fold": 0}),
        entry({"place": ["training"], "fold": 0}),
        entry({"place": "training"}),
        entry({"place": "training", "fold": 3}),
        entry({"place": "training", "fold": True}),
        entry({"place": "training", "fold": "0"}),
        entry({"place": "test", "fold": 0}),
        entry({"place": "test", "more": 0}),
    ],
)
def test_a_file_of_another_form_is_refused_by_name(tmp_path, make_patients, change) -> None:
    path = tmp_path / "split.json"
    first(make_patients(20)).write(path)
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(InputError, match=r"split\.json: "):
        RecordedSplit.read(path)


@pytest.mark.parametrize("content", [b"", b"{", b"\x80abc", b"null"])
def test_a_damaged_file_is_refused_by_name(tmp_path, content: bytes) -> None:
    (tmp_path / "split.json").write_bytes(content)
    with pytest.raises(InputError, match=r"split\.json: is not a readable record"):
        RecordedSplit.read(tmp_path / "split.json")


def test_two_trainings_that_add_to_one_file_keep_what_both_added() -> None:
    made = first(people(range(20)))
    mine, there = made.extended(people(range(30))), made.extended(people(range(25, 40)))
    both = mine.merged(there)
    assert {*mine.places, *there.places} == set(both.places)
    assert both.fold == {**mine.fold, **there.fold}
