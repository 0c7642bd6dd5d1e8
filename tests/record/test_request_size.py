"""A request by the number of its patients and whether they are of one fold."""

from __future__ import annotations

import pytest
from scripts.errors import InputError
from scripts.record.request_size import RequestSize


@pytest.mark.parametrize("size", [RequestSize(1), RequestSize(12), RequestSize(2, several=True)])
def test_its_key_is_read_back(size: RequestSize) -> None:
    assert RequestSize.read(size.key) == size


@pytest.mark.parametrize("key", ["", "two", "2 of some folds", " of several folds"])
def test_another_key_is_an_error(key: str) -> None:
    with pytest.raises(ValueError):
        RequestSize.read(key)


def test_of_the_folds_of_its_patients() -> None:
    assert RequestSize.of(3, [1, 1, 1]) == RequestSize(3)
    assert RequestSize.of(3, [1, 0, 1]) == RequestSize(3, several=True)
    assert str(RequestSize.of(1, [4])) == "1 patient"
    assert str(RequestSize.of(2, [4, 0])) == "2 patients of several folds"


def test_as_it_is_asked_for() -> None:
    assert RequestSize.asked(1, "one") == RequestSize(1)
    assert RequestSize.asked(2, "several") == RequestSize(2, several=True)
    with pytest.raises(InputError, match="mock_patients: 1 with mock_folds: several; at least 2 are needed"):
        RequestSize.asked(1, "several")
