"""The steps of a chain share what they have in common, and nothing outlives the chain."""

from __future__ import annotations

from scripts.workspace.shared import shared, sharing


def test_alone_everything_is_made_anew() -> None:
    assert shared("part", 1, lambda: [1]) is not shared("part", 1, lambda: [1])


def test_in_a_chain_the_same_description_is_the_same_part() -> None:
    with sharing():
        first = shared("part", {"a": 1}, lambda: [1])
        with sharing():
            assert shared("part", {"a": 1}, lambda: [2]) is first
        assert shared("part", {"a": 2}, lambda: [2]) == [2]
        assert shared("other", {"a": 1}, lambda: [3]) == [3]
    with sharing():
        assert shared("part", {"a": 1}, lambda: [4]) == [4]
