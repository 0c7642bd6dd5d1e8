"""Gaussian scores of a pool of models with known truth: what the unlearned models know is given, not learnt."""

from __future__ import annotations

import numpy as np
from scripts.verify.scores import ModelScores, RequestScores

IMAGES, PATIENTS, VALIDATION = 16, 4, 30
CELLS = 6  # of an answer


def simulated(
    *,
    seed: int,
    pairs: int = 8,
    kept: float = 0.0,
    gap: float = 1.0,
    effect: float = 6.0,
    rho: float = 0.5,
    other_pattern: float = 0.0,
    other_answers: float = 0.0,
    delivered_kept: float | None = None,
) -> RequestScores:
    """Scores of O, U and R.

    Args:
        kept: part of the original's knowledge that the unlearned models keep: 0 a true retrain, 1 the original.
        effect: gap over the seed s.d. of one model's mean score.
        rho: correlation of the models of a pair.
        other_answers: departure of the unlearned models' answers from the retrained ones' in a direction of its own, in
            units of the original's; of no weight in any score.
        other_pattern: s.d., nats, of a pattern over images, of mean zero, that only the unlearned models have.
        delivered_kept: of the delivered model; None: as `kept`.
    """
    rng = np.random.default_rng(seed)
    sigma = gap / effect if gap else 1.0 / effect
    memory = gap + 0.3 * gap * rng.standard_normal(IMAGES)
    memory += gap - memory.mean()
    strange = rng.standard_normal(IMAGES)
    strange = other_pattern * (strange - strange.mean()) / strange.std()
    base = rng.standard_normal(IMAGES)
    said = np.random.default_rng([seed, 1])  # a stream of its own: the scores stay what they were
    learnt, aside = (row / np.sqrt((row * row).sum()) for row in said.standard_normal((2, IMAGES, CELLS)))

    def model(known: float, shared: float, extra: np.ndarray | float = 0.0, strayed: float = 0.0) -> ModelScores:
        own = sigma * (np.sqrt(rho) * shared + np.sqrt(1 - rho) * rng.standard_normal())
        level = rng.standard_normal()  # of calibration: on forget and validation alike
        noise = rng.standard_normal(IMAGES)
        forget = base + known * memory + own + 0.1 * sigma * (noise - noise.mean()) + extra + level
        noise = said.standard_normal((IMAGES, CELLS)) / np.sqrt(IMAGES * CELLS) / 2
        answers = known * learnt + strayed * aside + noise
        return ModelScores(forget, np.full(VALIDATION, level), answers)

    shared = rng.standard_normal(pairs)
    models = {
        "original": [model(1.0, one) for one in shared],
        "unlearned": [model(kept, rng.standard_normal(), strange, other_answers) for _ in shared],
        "retrained": [model(0.0, one) for one in shared],
    }
    delivered = model(kept if delivered_kept is None else delivered_kept, rng.standard_normal(), strange, other_answers)
    teacher = model(1.0, rng.standard_normal())
    return RequestScores(
        patients=np.repeat(np.arange(PATIENTS), IMAGES // PATIENTS).tolist(),
        validation_patients=list(range(VALIDATION)),
        delivered=delivered,
        teacher=teacher,
        **models,
    )
