"""What is known of one setting: the single source of the config files' settings, the checks and the documentation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Kind(Enum):
    """The type of a value, in the words of an error message."""

    TEXT = "text"
    FLAG = "true or false"
    WHOLE = "a whole number"
    NUMBER = "a number"
    SIZE = "a whole number, or a list of one whole number per axis"
    WHOLES = "a list of whole numbers"
    NAMES = "a list of names"
    PLACES = "text, or a list of texts"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting.

    Attributes:
        name: the key in a config and on the command line.
        kind: type of the value.
        default: value in the workflow files; a workflow may have a default of its own.
        comment: one sentence that says what the value is.
        unit: unit of a number; empty for text and counts.
        words: texts that are allowed; beside numbers where `kind` is a number or a flag.
        least, most: bounds that are allowed themselves.
        limit: the largest value of which a computer can make anything; a comment in a config has no need to say it.
        above, below: bounds that are not allowed themselves.
        optional: whether null is allowed; the comment says what it stands for.
        moves: whether a model's weights follow from it. Paths, display and speed do not move a weight.
        shared: whether all steps of a run must have the same value.
    """

    name: str
    kind: Kind
    default: Any
    comment: str
    unit: str = ""
    words: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    limit: float | None = None
    above: float | None = None
    below: float | None = None
    optional: bool = False
    moves: bool = True
    shared: bool = False

    @property
    def allowed(self) -> str:
        """The values that are allowed, for the comment in a config and for an error message."""
        limit = "" if self.limit is None else f" up to {self.limit:.15g}"
        parts = [] if self.kind is Kind.TEXT and self.words else [self.kind.value + self._range() + limit]
        if self.words:
            parts.append(" | ".join(self.words))
        if self.optional:
            parts.append("null")
        return ", ".join(parts)

    def _range(self) -> str:
        found = []
        for sign, bound in (
            (" from", self.least),
            (" above", self.above),
            (" up to", self.most),
            (" below", self.below),
        ):
            if bound is not None:
                found.append(f"{sign} {bound:g}")
        return "".join(found)

    @property
    def note(self) -> str:
        """The comment of the setting's line in a config: the sentence, and what a reader cannot guess of the range."""
        told = [part for part in (self.unit, self._shown_range()) if part]
        return f"{self.comment} ({'; '.join(told)})" if told else self.comment

    def _shown_range(self) -> str:
        words = " | ".join(word for word in self.words if word)
        if self.kind is Kind.FLAG:
            return f"true | false | {words}" if words else ""
        bounds = self._range().strip() if self.kind in (Kind.WHOLE, Kind.NUMBER) else ""
        if bounds.startswith("from") and self.least is not None and (self.most is not None or self.below is not None):
            bounds = f"{self.least:g} to {'below ' if self.below is not None else ''}{self.below or self.most:g}"
        return ", or ".join(part for part in (words, bounds) if part)
