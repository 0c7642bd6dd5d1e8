"""One row of a comparison: how far a method's students are from the retrained models, and what they cost."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scripts.comparison.standing import SETS, Standing, mean_standing
from scripts.verify.excess import LEAST_REFERENCES, excess_departure

LEAST_SCORE = 0.1  # nats between teacher and retrained: below it a share would be one of nothing


@dataclass(frozen=True)
class Row:
    """Figures of a contender, a value for each seed.

    Attributes:
        name: of the contender.
        values: figure -> one value for each student, None where it is not defined.
        failed: why there are no figures, in words that name no patient; empty where there are some.
        tuning: CPU seconds that finding its settings took; None where they are as published.
    """

    name: str
    values: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    failed: str = ""
    tuning: float | None = None

    def mean(self, figure: str) -> float | None:
        """Mean over the seeds for which it is defined."""
        known = [value for value in self.values.get(figure, ()) if value is not None]
        return statistics.fmean(known) if known else None

    def spread(self, figure: str) -> float | None:
        """Standard deviation over the seeds; None for fewer than two."""
        known = [value for value in self.values.get(figure, ()) if value is not None]
        return statistics.stdev(known) if len(known) > 1 else None

    def as_dict(self) -> dict[str, Any]:
        """For the file."""
        return {
            "name": self.name,
            "failed": self.failed,
            "tuning_cpu_seconds": self.tuning,
            "values": {name: list(found) for name, found in self.values.items()},
        }


def figures(
    student: Standing, *, teacher: Standing, retrained: Sequence[Standing], seconds: float | None
) -> dict[str, float | None]:
    """What a row says of one student.

    `average_gap` is the mean of the four distances in key metric on forget, retain and test and in the attack's AUC
    (after SalUn, arXiv 2310.12508). `distance` is |a - a_R| / |a_T - a_R| of the coarse answers to the forget images.
    `recovered` is what 20 training steps on retain images give back of the key metric on the forget set, less what they
    give a retrained model.

    Args:
        retrained: models that it is compared with.
        seconds: CPU seconds that made it.
    """
    mean = mean_standing(retrained)
    apart = {name: student.metric[name] - mean.metric[name] for name in SETS}
    whole = teacher.score - mean.score
    gaps = [*apart.values(), student.auc - mean.auc]
    found: dict[str, float | None] = {
        **{name: student.metric[name] for name in SETS},
        **{f"{name}_gap": value for name, value in apart.items()},
        "average_gap": statistics.fmean(abs(gap) for gap in gaps),
        "forgotten_fraction": (teacher.score - student.score) / whole if whole >= LEAST_SCORE else None,
        "excess": _excess(student, teacher, retrained),
        "distance": _apart(student, mean) / _apart(teacher, mean) if _apart(teacher, mean) > 0 else None,
        "recovered": (student.attacked - student.metric["forget"]) - (mean.attacked - mean.metric["forget"]),
        "auc": student.auc,
        "auc_gap": student.auc - mean.auc,
        "overlooked_gap": student.overlooked - mean.overlooked,
        "cpu_seconds": seconds,
    }
    return {name: value if value is None or math.isfinite(value) else None for name, value in found.items()}


def _excess(student: Standing, teacher: Standing, retrained: Sequence[Standing]) -> float | None:
    if len(retrained) < LEAST_REFERENCES:
        return None
    return excess_departure(
        model=student.answers, original=teacher.answers, retrained=[one.answers for one in retrained]
    ).value


def _apart(one: Standing, other: Standing) -> float:
    return float(np.sqrt(np.mean((one.answers - other.answers) ** 2)))


def gathered(name: str, found: Sequence[Mapping[str, float | None]], *, tuning: float | None = None) -> Row:
    """The row of several students of a contender."""
    return Row(name, {figure: [one[figure] for one in found] for figure in found[0]}, tuning=tuning)
