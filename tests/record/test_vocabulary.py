"""What a group may be called outside of the hospital."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripts.record.vocabulary import VOCABULARY, group_names, public_name

ALLOWED = {attribute: set(names.values()) for attribute, names in VOCABULARY.items()}


@pytest.mark.parametrize(
    ("attribute", "value", "name"),
    [
        ("sex", "F", "female"),
        ("sex", " Male ", "male"),
        ("sex", "divers", "other"),
        ("sex", "Unknown", ""),
        ("sex", "F, ward 3", None),
        ("age", "40 to 59", "40 to 59"),
        ("age", "43", None),
        ("site", "Head/Neck", "head neck"),
        ("site", "lower_extremity", "lower extremity"),
        ("site", "ward of Dr. Example", None),
        ("site", "arm of J. Doe", None),
        ("diagnosis", "NV", "nv"),
        ("diagnosis", "seborrheic_keratosis", "seborrheic keratosis"),
        ("diagnosis", "Squamous-cell  carcinoma", "squamous cell carcinoma"),
        ("diagnosis", "rare disease of one family", None),
    ],
)
def test_agreed_names(attribute: str, value: str, name: str | None) -> None:
    assert public_name(attribute, value) == name


@given(attribute=st.sampled_from(sorted(VOCABULARY)), values=st.lists(st.text(max_size=20)))
def test_nothing_but_agreed_names_and_numbers(attribute: str, values: list[str]) -> None:
    named = group_names(attribute, values)
    assert named.keys() == set(values)
    for name in named.values():
        assert name == "" or name in ALLOWED[attribute] or 1 <= int(name) <= len(set(values))
    numbers = [name for name in named.values() if name.isascii() and name.isdigit()]
    assert len(set(numbers)) == len(numbers)


def test_other_attributes_make_no_groups() -> None:
    with pytest.raises(ValueError, match="none of sex, age, site, diagnosis"):
        public_name("ward of Dr. Example", "x")
