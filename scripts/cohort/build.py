"""From the settings of a config to a cohort, and to the records a model is trained on."""

from __future__ import annotations

from typing import Any

from scripts.cohort.cohort import Cohort, Record
from scripts.cohort.near_duplicates import with_near_duplicates
from scripts.cohort.resolve import resolve
from scripts.data.source import DataSource
from scripts.errors import InputError
from scripts.request import read_request


def build_cohort(
    source: DataSource, *, request: str = "", forget_ratio: float = 0.0, needs_forget: bool = False, **settings: Any
) -> Cohort:
    """The cohort of a request file, of a drawn share, or of neither: then nothing is to be forgotten.

    Args:
        request: path of a request.csv, or empty.
        forget_ratio: share of the training patients, where no request is given.
        needs_forget: whether an empty forget set is an error.
        settings: of `resolve`.

    Raises:
        InputError: as `read_request` and `resolve`; both or neither of request and forget_ratio where one is needed.
    """
    if request and forget_ratio:
        raise InputError(f"request: '{request}' and forget_ratio: {forget_ratio} are both given; give one of them")
    if needs_forget and not request and not forget_ratio:
        raise InputError("request: nothing to forget; give --request FILE, or --forget_ratio SHARE for research")
    return resolve(source, request=read_request(request) if request else None, forget_ratio=forget_ratio, **settings)


def request_name(cohort: Cohort) -> str:
    """The request's id, or a name made of ratio and seed: the default name of a run."""
    request = cohort.resolution.get("request")
    if request:
        return str(request["request_id"])
    settings = cohort.resolution["settings"]
    return f"ratio-{settings['forget_ratio']:g}-seed-{settings['seed']}"


def training_records(cohort: Cohort, *, fold: int = -1) -> tuple[Record, ...]:
    """The retain records without those of `fold`: with nothing to forget, the whole training set."""
    return tuple(record for record in cohort.retain if fold < 0 or cohort.fold_of(record) != fold)


__all__ = ["build_cohort", "request_name", "training_records", "with_near_duplicates"]
