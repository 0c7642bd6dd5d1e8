"""What stands in a row of a comparison: a method, and how it differs from what its name says alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Forms of Erase to Retain that a comparison carries beside its default.
FORMS: Mapping[str, Mapping[str, Any]] = {
    "released": {"method": "erase_to_retain", "schedule": "released"},
    "hardened": {"method": "erase_to_retain", "trainable": "all"},
}
RETRAIN = "retrain"


@dataclass(frozen=True)
class Contender:
    """A row.

    Attributes:
        name: as `compare_methods` gives it.
        method: of forgetting.
        settings: beside those that the comparison was given.
    """

    name: str
    method: str
    settings: Mapping[str, Any]

    @classmethod
    def named(cls, name: str) -> Contender:
        """A method, or one of `FORMS`."""
        own = dict(FORMS.get(name, {"method": name}))
        return cls(name, own.pop("method"), own)


def contenders(names: Sequence[str]) -> list[Contender]:
    """The rows of a comparison, each once."""
    return [Contender.named(name) for name in dict.fromkeys(names)]
