"""Of which requests a set of mock requests speaks: as many patients, of one fold or of several."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from scripts.errors import InputError
from scripts.messages import number_of

SEVERAL = " of several folds"


@dataclass(frozen=True, order=True)
class RequestSize:
    """Patients of a request, and where they are.

    Attributes:
        patients: how many.
        several: whether they are of more folds than one: no fold teacher then lacks them all, and the way to forget
            them is another one.
    """

    patients: int
    several: bool = False

    @classmethod
    def of(cls, patients: int, folds: Collection[int]) -> RequestSize:
        """Of a request whose patients are in these folds."""
        return cls(int(patients), len(set(folds)) > 1)

    @classmethod
    def asked(cls, patients: int, folds: str) -> RequestSize:
        """From the settings `mock_patients` and `mock_folds`.

        Raises:
            InputError: one patient cannot be of several folds.
        """
        if folds == "several" and patients < 2:
            raise InputError(f"mock_patients: {patients} with mock_folds: several; at least 2 are needed")
        return cls(int(patients), folds == "several")

    @classmethod
    def read(cls, key: str) -> RequestSize:
        """From its key in `qualification.json`.

        Raises:
            ValueError: no key of one.
        """
        return cls(int(key.removesuffix(SEVERAL)), key.endswith(SEVERAL))

    @property
    def key(self) -> str:
        """In `qualification.json`."""
        return f"{self.patients}{SEVERAL if self.several else ''}"

    def __str__(self) -> str:
        return number_of(self.patients, "patient") + (SEVERAL if self.several else "")
