"""One recipe on mock requests: how near the student comes to a model that never saw the patients, and what it costs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scripts.pool.candidates import Candidate

GUARD = 0.01  # of the key metric: what retain and selection may lose against the model that never saw the patients
# The same against the teacher: that model lacks a whole fold, and what it lacks by that a request must not cost.
LOSS = 0.02
LEAST_FORGOTTEN, MOST_FORGOTTEN = 0.7, 1.4  # forgotten fraction; wide, for each mock request has one measuring model
DEPTH_DIGITS = 1  # of the share that comes back: models that never saw the patients differ by about a tenth in it
# Distance of teacher and measuring model, mean over the mock requests: below it a share would be one of nothing.
LEAST_SCORE, LEAST_METRIC = 0.1, 0.01  # nats, as in the verdict; key metric


@dataclass(frozen=True)
class Measured:
    """What one student is measured by, beside teacher and measuring model; means over the mock request's images.

    Attributes:
        score: of teacher, student, measuring model: mean score on the patients minus that on the selection set, nats.
        metric: of the same: key metric on the patients.
        distance: of teacher and student to the measuring model: root mean square of their coarse answers.
        kept: key metric of the student minus the measuring model's, on retain and on selection.
        held: the same minus the teacher's.
        agreement: Dice, or share of equal classes, of the student's and the teacher's decisions on selection.
        attacked_score, attacked_metric: of student and measuring model after 20 training steps on retain images.
        seconds: CPU seconds of the method.
    """

    score: tuple[float, float, float]
    metric: tuple[float, float, float]
    distance: tuple[float, float]
    kept: tuple[float, float]
    held: tuple[float, float]
    agreement: float
    attacked_score: tuple[float, float]
    attacked_metric: tuple[float, float]
    seconds: float


@dataclass(frozen=True)
class Trial:
    """A candidate and what was measured of it on each mock request."""

    candidate: Candidate
    measured: Sequence[Measured]

    @property
    def kept(self) -> float:
        """Against the measuring model: the worse of retain and selection, mean over the mock requests."""
        return min(statistics.fmean(one.kept[which] for one in self.measured) for which in (0, 1))

    @property
    def held(self) -> float:
        """The same against the teacher."""
        return min(statistics.fmean(one.held[which] for one in self.measured) for which in (0, 1))

    @property
    def nearness(self) -> float:
        """Student's distance to the measuring models over the teacher's: 0 like them, 1 like the teacher."""
        own, whole = (sum(one.distance[which] for one in self.measured) for which in (1, 0))
        return own / whole if whole > 0 else 1.0

    @property
    def recovered(self) -> float | None:
        """The larger of the shares of score and key metric that come back under attack.

        What the attack gives a model that never saw the patients is taken off: it is no memory. None where the teacher
        stands out on the patients by neither.
        """
        shares = (
            _share([(*one.score, *one.attacked_score) for one in self.measured], least=LEAST_SCORE),
            _share([(*one.metric, *one.attacked_metric) for one in self.measured], least=LEAST_METRIC),
        )
        return max((share for share in shares if share is not None), default=None)

    @property
    def fraction(self) -> float | None:
        """Forgotten fraction by score; None where the teacher does not stand out on the patients."""
        gap = statistics.fmean(one.score[0] - one.score[2] for one in self.measured)
        gone = statistics.fmean(one.score[0] - one.score[1] for one in self.measured)
        return gone / gap if gap >= LEAST_SCORE else None

    @property
    def agreement(self) -> float:
        """Mean over the mock requests."""
        return statistics.fmean(one.agreement for one in self.measured)

    @property
    def seconds(self) -> float:
        """CPU seconds per request."""
        return statistics.fmean(one.seconds for one in self.measured)

    @property
    def harmful(self) -> bool:
        """Whether retain or selection lose more than the clinical guard allows."""
        return self.kept < -GUARD or self.held < -LOSS

    def order(self) -> tuple[Any, ...]:
        """Smaller is better: clinical guard first, then whether it has forgotten, depth, agreement and cost."""
        depth = max(0.0, round(self.recovered or 0.0, DEPTH_DIGITS))
        forgotten = self.fraction is None or LEAST_FORGOTTEN <= self.fraction <= MOST_FORGOTTEN
        return (self.harmful, not forgotten, depth, -round(self.agreement, 2), self.seconds)

    def told(self) -> str:
        """One line for a reader."""
        fraction, recovered = ("-" if share is None else f"{share:.2f}" for share in (self.fraction, self.recovered))
        return (
            f"kept {self.kept:+.3f}, of the teacher {self.held:+.3f}, distance {self.nearness:.2f} of the teacher's, FF"
            f" {fraction}, recovered {recovered}, agreement {self.agreement:.3f}, {self.seconds:.0f} CPU s"
        )

    def as_dict(self) -> dict[str, Any]:
        """For the file: no id, no path."""
        return {
            "method": self.candidate.method,
            "settings": dict(self.candidate.settings),
            "kept": self.kept,
            "held": self.held,
            "nearness": self.nearness,
            "forgotten_fraction": self.fraction,
            "recovered": self.recovered,
            "agreement": self.agreement,
            "cpu_seconds": self.seconds,
            "mock_requests": [asdict(one) for one in self.measured],
        }


def _share(values: Sequence[tuple[float, float, float, float, float]], *, least: float) -> float | None:
    """Of (teacher, student, measuring model, student attacked, measuring model attacked):

    sum of (student's gain - measuring model's gain) over sum of (teacher - student), 0 where nothing is gone; None
    where teacher and measuring model are less than `least` apart on the mean.
    """
    if statistics.fmean(teacher - measure for teacher, _, measure, *_ in values) < least:
        return None
    gone = sum(teacher - student for teacher, student, *_ in values)
    back = sum((after - student) - (other - measure) for _, student, measure, after, other in values)
    return back / gone if gone > 0 else 0.0
