"""A verdict from paired references: originals, their retrained twins and unlearned models, seed by seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from scripts.record.clinical_guard import clinical_guard
from scripts.record.exchangeable import made_alike
from scripts.record.informing import informing
from scripts.record.recovery_check import recovery_check
from scripts.record.scored import request_scores
from scripts.record.subgroup_guard import measured_subgroups, subgroup_check
from scripts.tasks.task import Task
from scripts.verify.recovery import Recovery, recovery_family
from scripts.verify.verdict import Verdict, decide

KIND = "paired"  # of the evidence: original, retrained and unlearned models of the request, seed by seed


def judge_paired(
    pool: Mapping[str, Any], *, task: Task, trained: Mapping[str, Any], recipe: str, level: float
) -> Verdict:
    """The verdict on `private/scores.json`.

    Args:
        trained: record beside the teacher; empty where there is none.
        recipe: digest of the procedure by which the student was made.
        level: of each of the two tests of equivalence.

    Raises:
        ValueError: what cannot be computed; and whatever a lookup in damaged content raises.
    """
    scores = request_scores(pool)
    margin = task.margin(task.key_metric)
    assert margin is not None
    groups = measured_subgroups(pool, key_metric=task.key_metric, margin=margin.loss)
    guard = clinical_guard(pool, task=task) + subgroup_check(groups, margin=margin.loss)
    gap = scores.means("original") - scores.means("retrained")
    recovered = recovery_family(pool["recovery"], gap=gap) if pool.get("recovery") else {}
    verdict = decide(
        scores,
        checks=[*guard, recovery_check(recovered, steps=int(pool["recovery_steps"]))],
        exchangeable=made_alike(
            own=trained,
            others=pool["training"],
            seeds=pool.get("seeds", ()),
            recipe=recipe,
            recipes=pool["recipes"],
            trusted=bool(pool.get("trusted")),
        ),
        budget=int(pool["budget"]),
        level=level,
    )
    if not verdict.evidence:
        return verdict
    more = informing(pool) | {
        "recovery": {name: _figures(one, pool["recovery"][name], task) for name, one in recovered.items()},
        "subgroups": [asdict(group) for group in groups],
    }
    return replace(verdict, evidence={**verdict.evidence, **more})


def _figures(found: Recovery, scores: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """With the key metric on the forget images after the attack, where it was taken."""
    names = {kind: f"{kind}_{task.key_metric}" for kind in ("unlearned", "retrained")}
    return asdict(found) | {name: float(np.mean(scores[name])) for name in names.values() if name in scores}
