"""Whether a procedure forgets, measured once a model on requests that nobody made: over mock requests, not over seeds.

For a mock request p the teacher T has seen its patients; the unlearned model U_p and the S measuring members R_ps of
their fold have not. The mock requests are the random factor: T is one model, and the statement is about it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scripts.verify.contrasts import MARGIN, PairedContrasts
from scripts.verify.pattern import Pattern
from scripts.verify.rates import clopper_pearson

LEAST_REQUESTS, LEAST_MEMBERS = 16, 2
ANSWERS_MARGIN = 0.5  # of decisions, as of the answers of a paired verdict
BEYOND = 0.01  # two-sided level at which one mock request counts as beyond
DRAWS = 2000  # of the bootstrap over mock requests
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Departures:
    """Squared distances to the mean of the measuring members, one a mock request, the members' noise taken off.

    Attributes:
        unlearned, teacher: (P,) `|M_p - m_p|^2 - s_p^2 / S`.
        members: (P,) s_p^2, what one more member would have.
    """

    unlearned: Array
    teacher: Array
    members: Array

    @classmethod
    def of(cls, *, unlearned: ArrayLike, teacher: ArrayLike, members: ArrayLike) -> Departures:
        """From (P,), (P,) and (P, S) scores."""
        u, t, r = (np.asarray(values, dtype=np.float64) for values in (unlearned, teacher, members))
        centre, variance = r.mean(1), r.var(1, ddof=1)
        noise = variance / r.shape[1]
        return cls((u - centre) ** 2 - noise, (t - centre) ** 2 - noise, variance)

    def excess(self, *, seed: int = 0) -> Pattern:
        """E* = (D_U - D_R) / (D_T - D_R) of the means, with its one-sided 95 % bootstrap bound over mock requests."""
        value = _ratio(self.unlearned, self.teacher, self.members)
        chosen = np.random.default_rng(seed).integers(0, len(self.unlearned), (DRAWS, len(self.unlearned)))
        draws = _ratio(self.unlearned[chosen], self.teacher[chosen], self.members[chosen])
        upper = float(np.quantile(draws, 0.95)) if np.isfinite(draws).all() else float("inf")
        return Pattern(value=float(value), upper=upper)


@dataclass(frozen=True)
class Beyond:
    """Mock requests beyond what one more member would show.

    Attributes:
        count, requests: beyond, and all.
        allowed: the 99 % quantile of the count where 1 % are beyond by chance.
        bound: one-sided upper 95 % bound of the share (Clopper-Pearson).
    """

    count: int
    requests: int
    allowed: int
    bound: float

    @property
    def met(self) -> bool:
        """Whether no more are beyond than chance explains."""
        return self.count <= self.allowed


@dataclass(frozen=True)
class Procedure:
    """What mock requests say of a procedure; all three rules must hold.

    Attributes:
        means: contrasts over mock requests.
        scores, answers: excess departure; the answers' is None where none were taken.
        rate: of mock requests that are beyond.
        spread: standard deviation of one member's score, nats, pooled over mock requests.
        members: S, measuring members of each fold.
    """

    means: PairedContrasts
    scores: Pattern
    answers: Pattern | None
    rate: Beyond
    spread: float
    members: int

    @property
    def degrees(self) -> int:
        """Of freedom of the spread."""
        return self.rate.requests * (self.members - 1)

    @property
    def allowed(self) -> float:
        """How far a model that never saw the patients lies from its members' mean at most, at 99 %, nats."""
        quantile = float(stats.t.ppf(1 - BEYOND / 2, self.degrees))
        return quantile * self.spread * float(np.sqrt(1 + 1 / self.members))

    def qualified(self, *, level: float = 0.05) -> bool:
        """Whether the procedure forgets at the margin."""
        answers = self.answers is not None and self.answers.met(ANSWERS_MARGIN)
        return self.means.equivalent(level) and self.scores.met(self.means.margin) and answers and self.rate.met


def judge_procedure(
    *,
    teacher: ArrayLike,
    unlearned: ArrayLike,
    members: ArrayLike,
    answers: Departures | None = None,
    margin: float = MARGIN,
) -> Procedure:
    """The three rules on corrected scores, nats.

    Args:
        teacher, unlearned: (P,) mean over a mock request's patients.
        members: (P, S) of the members that never saw them and that no method looked at.
        answers: of decisions, which other seeds do not calibrate otherwise, as probabilities are.

    Raises:
        ValueError: fewer than 16 mock requests or two members, lengths that differ, a value that is not finite.
    """
    t, u, r = (np.asarray(values, dtype=np.float64) for values in (teacher, unlearned, members))
    if t.ndim != 1 or u.shape != t.shape or r.ndim != 2 or len(r) != len(t):
        raise ValueError(f"mock requests: shapes {t.shape}, {u.shape}, {r.shape}; one of each a mock request")
    if len(t) < LEAST_REQUESTS:
        raise ValueError(f"mock requests: {len(t)} are too few; at least {LEAST_REQUESTS} are needed")
    if r.shape[1] < LEAST_MEMBERS:
        raise ValueError(f"members: {r.shape[1]} of each fold are too few; at least {LEAST_MEMBERS} are needed")
    means = PairedContrasts(original=t, unlearned=u, retrained=r.mean(1), margin=margin)
    if answers is not None and answers.unlearned.shape != t.shape:
        raise ValueError(f"answers: of {len(answers.unlearned)} mock requests, scores of {len(t)}")
    scores = Departures.of(unlearned=u, teacher=t, members=r).excess()
    said = None if answers is None else answers.excess()
    return Procedure(means, scores, said, _rate(u, r), spread=_spread(r), members=r.shape[1])


def deviations(unlearned: ArrayLike, members: ArrayLike) -> Array:
    """z of each mock request, (P,): its distance from the members' mean in spreads of one more member, pooled."""
    u, r = np.asarray(unlearned, dtype=np.float64), np.asarray(members, dtype=np.float64)
    return (u - r.mean(1)) / (_spread(r) * np.sqrt(1 + 1 / r.shape[1]))


def _spread(members: Array) -> float:
    return float(np.sqrt(members.var(1, ddof=1).mean()))


def _rate(u: Array, r: Array) -> Beyond:
    requests, degrees = len(u), r.shape[0] * (r.shape[1] - 1)
    count = int((np.abs(deviations(u, r)) > stats.t.ppf(1 - BEYOND / 2, degrees)).sum())
    allowed = int(stats.binom.ppf(0.99, requests, BEYOND))
    return Beyond(count, requests, allowed, clopper_pearson(count, requests, level=0.9).high)


def _ratio(unlearned: Array, teacher: Array, members: Array) -> Array:
    """Over the last axis; infinite where the teacher does not stand out."""
    u, t, r = (values.mean(-1) for values in (unlearned, teacher, members))
    whole = t - r
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, (u - r) / whole, np.inf)
