"""Verdict rates by simulation from Gaussian scores: `python -m tests.studies.verifier_simulated`.

Extends what the blocks of `verifier_study` can show; gap, spread and correlation may be those that were measured.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import asdict
from typing import Any

from scripts.verify.rates import clopper_pearson
from scripts.verify.verdict import decide
from tests.studies import common
from tests.verify.simulated import simulated

# Part of the original's knowledge that is left, s.d. of a pattern of mean zero in units of the gap, departure of the
# answers that no score tells (.65 as the over-forgotten control has it on the phantom).
TRUTHS: dict[str, dict[str, float]] = {
    "true retrain": {"kept": 0.0},
    "original": {"kept": 1.0},
    "half": {"kept": 0.5},
    "over": {"kept": -0.5},
    "over, in the answers alone": {"kept": 0.0, "other_answers": 0.65},
    "matched mean, other pattern": {"kept": 0.0, "other_pattern": 0.57},
}
# Gap over seed s.d., correlation within a pair, pairs: what is asked for, and a child of CHASE_DB1 as measured.
POOLS = ((6.0, 0.5, 8), (16.8, 0.52, 4))


def main() -> None:
    """Count, print, write docs/results/verifier_simulated.json."""
    parser = argparse.ArgumentParser(prog="python -m tests.studies.verifier_simulated")
    parser.add_argument("--draws", type=int, default=300)
    given = parser.parse_args()
    table: list[dict[str, Any]] = []
    for effect, rho, pairs in POOLS:
        for name, truth in TRUTHS.items():
            settings = {**truth, "effect": effect, "rho": rho, "pairs": pairs}
            found = [decide(simulated(seed=seed, **settings)).outcome for seed in range(given.draws)]  # type: ignore[arg-type]
            counts = Counter("FAIL" if outcome.startswith("FAIL") else outcome for outcome in found)
            rates = {outcome: asdict(clopper_pearson(counts[outcome], given.draws)) for outcome in ("PASS", "FAIL")}
            table.append({"truth": name, "effect": effect, "rho": rho, "pairs": pairs, **rates})
            print(effect, rho, pairs, name, dict(counts), flush=True)
    common.save("verifier_simulated", {"draws": given.draws, "simulated": True, "rows": table})


if __name__ == "__main__":
    main()
