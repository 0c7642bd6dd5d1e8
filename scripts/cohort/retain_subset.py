"""Which retain images a request draws from: so many, in whole patients, that its cost need not grow with the data set.

- random: patients in an order that follows from seed and id alone. No image is looked at.
- stratified: as random, in proportion to the patients' classes. Where no record carries a class (`diagnosis`), to the
  quantiles of the mask's share of the image: that looks at `POOL` times as many images as are asked for, drawn at
  random, however large the data set is.
- nearest: the patients whose images are most like the forgotten ones, by thumbnail. That looks at every image once:
  it alone grows with the data set.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from scripts.cohort.cohort import Cohort, Record, units
from scripts.cohort.split import ranked
from scripts.errors import InputError
from torch.nn.functional import adaptive_avg_pool2d, adaptive_avg_pool3d

CHOICES = ("random", "stratified", "nearest")
POOL = 2  # times the images asked for: half the variance of a random draw is left at most
QUANTILES = 4
THUMBNAIL = 8  # pixels per axis

Look = Callable[[Record], Record]


def resolved_images(value: object) -> int | None:
    """How many images `retain_images` stands for; None for all.

    Raises:
        InputError: a value that is not allowed.
    """
    if value is None or value == "all":
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise InputError(f"retain_images: '{value}' is not a number of images; allowed are whole numbers from 1, and all")


def checked_choice(value: str) -> str:
    """`retain_choice`, if it is allowed."""
    if value not in CHOICES:
        raise InputError(f"retain_choice: '{value}' is not one of {', '.join(CHOICES)}")
    return value


def retain_subset(
    cohort: Cohort, *, images: int | None, choice: str, seed: int, look: Look, name: str = "retain"
) -> tuple[Record, ...]:
    """The records of a set that a request draws from, in the set's order.

    Args:
        images: patients are added until so many images are reached: one patient more at most. None takes all.
        choice: one of `CHOICES`.
        seed: of the order of patients; the same for every request and for smaller and larger numbers of images.
        look: record -> prepared `image` (C, H, W[, D]) and `label`; asked only where the choice needs it.
        name: the set, retain or guard.

    Raises:
        InputError: a choice that is not allowed; the nearest are asked for where nothing is to be forgotten.
    """
    checked_choice(choice)
    records = cohort.named(name)
    if images is None or images >= len(records):
        return records
    if choice == "nearest" and not cohort.forget:
        raise InputError("retain_choice: 'nearest' needs images to forget; there are none")
    sizes = Counter(record["patient_id"] for record in records)
    if choice == "nearest":
        order: Sequence[str] = _by_likeness(records, cohort.forget, images=images, seed=seed, look=look)
    else:
        order = ranked(sizes, seed=seed, salt="retain")
        if choice == "stratified":
            order = _in_proportion(order, sizes, _strata(records, order, sizes, images=images, look=look))
    chosen = set(_filled(order, sizes, images=images))
    return tuple(record for record in records if record["patient_id"] in chosen)


def _filled(order: Iterable[str], sizes: Mapping[str, int], *, images: int) -> list[str]:
    """The first patients of `order` who have so many images together."""
    chosen: list[str] = []
    total = 0
    for unit in order:
        if total >= images:
            break
        chosen.append(unit)
        total += sizes[unit]
    return chosen


def _in_proportion(order: Sequence[str], sizes: Mapping[str, int], strata: Mapping[str, str]) -> list[str]:
    """The patients of `strata` so that every beginning holds the strata in proportion to their images.

    The first patient of each stratum stands before all others, those of large strata first: no class is left out.
    """
    totals: Counter[str] = Counter()
    for unit, stratum in strata.items():
        totals[stratum] += sizes[unit]
    before: Counter[str] = Counter()
    place: dict[str, tuple[bool, float]] = {}
    for unit in order:
        if unit in strata:
            stratum = strata[unit]
            place[unit] = (before[stratum] > 0, (before[stratum] + sizes[unit] / 2) / totals[stratum])
            before[stratum] += sizes[unit]
    return sorted(place, key=place.__getitem__)


def _strata(
    records: Sequence[Record], order: Sequence[str], sizes: Mapping[str, int], *, images: int, look: Look
) -> dict[str, str]:
    """Stratum per patient: the class that most of the images have; else the quantile of the mask's mean share."""
    classes: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        classes[record["patient_id"]][str(record.get("diagnosis", ""))] += 1
    if any(name for found in classes.values() for name in found):
        return {unit: max(sorted(found), key=found.__getitem__) for unit, found in classes.items()}
    pool = set(_filled(order, sizes, images=POOL * images))
    shares: dict[str, list[float]] = defaultdict(list)
    for record in records:
        if record["patient_id"] in pool:
            shares[record["patient_id"]].append(float(look(record)["label"].float().mean()))
    sorted_units = sorted(shares, key=lambda unit: (sum(shares[unit]) / len(shares[unit]), unit))
    return {unit: str(rank * QUANTILES // len(sorted_units)) for rank, unit in enumerate(sorted_units)}


def thumbnail(image: torch.Tensor) -> torch.Tensor:
    """A prepared image (C, H, W[, D]) averaged to `THUMBNAIL` pixels per axis, flat."""
    pool = adaptive_avg_pool2d if image.ndim == 3 else adaptive_avg_pool3d
    return pool(image.float(), THUMBNAIL).flatten()


def _by_likeness(
    records: Sequence[Record], forget: Sequence[Record], *, images: int, seed: int, look: Look
) -> list[str]:
    """Patients by Euclidean distance of their nearest thumbnail; the forget patients take turns in choosing one."""
    found = torch.stack([thumbnail(look(record)["image"]) for record in records])
    names = units(records)
    number = {unit: index for index, unit in enumerate(names)}
    owner = torch.tensor([number[record["patient_id"]] for record in records])
    asked: dict[str, list[torch.Tensor]] = defaultdict(list)
    for record in forget:
        asked[record["patient_id"]].append(thumbnail(look(record)["image"]))
    wishes = []
    for unit in ranked(asked, seed=seed, salt="retain"):
        # Not by matrix products: those lose the small distances, which matter here.
        apart = torch.cdist(torch.stack(asked[unit]), found, compute_mode="donot_use_mm_for_euclid_dist").amin(0)
        nearest = torch.full((len(names),), torch.inf).scatter_reduce(0, owner, apart, "amin")
        wishes.append(iter(nearest.argsort(stable=True)[:images].tolist()))
    chosen: dict[int, None] = {}
    while len(chosen) < min(images, len(names)):
        for wish in wishes:
            taken = next((index for index in wish if index not in chosen), None)
            if taken is not None:
                chosen[taken] = None
    return [names[index] for index in chosen]
