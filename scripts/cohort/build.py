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
    """The training set without the patients of `fold`, the forget records among it: see `left_out`."""
    return cohort.training(fold)


def left_out(cohort: Cohort, *, fold: int = -1) -> list[int]:
    """Positions in `training_records` of what is to be forgotten.

    A retrained model that leaves them out of its batches is paired with the original of its seed: initial weights,
    order, random transforms and number of steps are the same.
    """
    forget = {record["image_id"] for record in cohort.forget}
    return [position for position, record in enumerate(cohort.training(fold)) if record["image_id"] in forget]


__all__ = ["build_cohort", "left_out", "request_name", "training_records", "with_near_duplicates"]
