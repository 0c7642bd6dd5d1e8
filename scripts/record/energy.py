"""What a piece of work costs: CPU seconds, and energy where codecarbon is installed and can tell."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from scripts.record.timing import cpu_seconds

COUNTRY = "USA"  # codecarbon offline asks for one, for emissions; the energy does not depend on it


@dataclass
class Cost:
    """Of one piece of work.

    Attributes:
        cpu_seconds: user and system time.
        kilowatt_hours: as codecarbon estimates it; None where it is not installed or cannot tell.
    """

    cpu_seconds: float = 0.0
    kilowatt_hours: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """For a record."""
        return {"cpu_seconds": round(self.cpu_seconds, 4), "kilowatt_hours": self.kilowatt_hours}


@contextmanager
def costing() -> Iterator[Cost]:
    """What the block costs; known when it ends."""
    cost, tracker, start = Cost(), _tracker(), cpu_seconds()
    if tracker is not None:
        tracker.start()
    try:
        yield cost
    finally:
        if tracker is not None:
            tracker.stop()
            energy = getattr(getattr(tracker, "final_emissions_data", None), "energy_consumed", None)
            cost.kilowatt_hours = float(energy) if energy is not None else None
        cost.cpu_seconds = cpu_seconds() - start


def _tracker() -> Any:
    """codecarbon's own, without network, files or words; None where it is not installed."""
    try:
        from codecarbon import OfflineEmissionsTracker
    except ImportError:
        return None
    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
    return OfflineEmissionsTracker(country_iso_code=COUNTRY, save_to_file=False, log_level="critical")
