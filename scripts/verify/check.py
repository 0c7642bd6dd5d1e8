"""Something that must hold for a PASS besides the equivalence."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.verify.pattern import Pattern

LEVEL = 0.01  # of each check that may block a PASS by a rejection


@dataclass(frozen=True)
class Check:
    """One of them.

    Attributes:
        met: whether it holds; None where it was not made, which is no PASS either.
        detail: the figure and its bound, in words.
    """

    name: str
    met: bool | None
    detail: str


def pattern_check(name: str, found: Pattern | None, margin: float) -> Check:
    """Whether what is left of a departure lies within the square of the margin; None: it could not be taken."""
    if found is None:
        return Check(name, None, "not taken of every model; run references again")
    return Check(name, found.met(margin), f"E {found.value:.3f}, bound {found.upper:.3f}, allowed {margin**2:.3f}")
