"""Who is in a mock request of several folds."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from scripts.pool.mock_requests import mixed


@given(st.lists(st.integers(0, 4), max_size=60), st.integers(2, 6))
def test_groups_are_of_several_folds_and_share_nobody(of: list[int], size: int) -> None:
    folds = {f"p{number}": fold for number, fold in enumerate(of)}
    groups = mixed(list(folds), folds, size)
    members = list(itertools.chain.from_iterable(groups))
    assert len(set(members)) == len(members) and set(members) <= set(folds)
    assert all(len(group) == size and len({folds[one] for one in group}) > 1 for group in groups)
    # Who is left over could make no further group.
    left = [folds[one] for one in folds if one not in members]
    assert len(left) < size or len(set(left)) == 1


def test_where_one_fold_is_all_there_is_none() -> None:
    assert mixed(["a", "b", "c", "d"], dict.fromkeys("abcd", 0), 2) == []
