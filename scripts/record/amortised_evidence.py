"""A verdict from mock requests: the procedure as preparation measured it, the delivered model beside members."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scripts.record.informing import agreed
from scripts.record.model_guard import model_guard
from scripts.record.qualification import Qualification
from scripts.record.recovery_check import recovery_check
from scripts.record.request_size import RequestSize
from scripts.tasks.task import Task
from scripts.verify.amortised import Delivered, decide_amortised
from scripts.verify.check import Check
from scripts.verify.decisions import Decided
from scripts.verify.verdict import Verdict

KIND = "amortised"
ALIKE = "made alike"


def judge_amortised(pool: Mapping[str, Any], *, task: Task, recipe: str, level: float, where: Path) -> Verdict:
    """The verdict on `private/scores.json`.

    Args:
        recipe: digest of the procedure by which the student was made.
        level: of each of the two tests of equivalence.
        where: path of the scores, for messages.

    Raises:
        ValueError: what cannot be computed; and whatever a lookup in damaged content raises.
    """
    qualification = Qualification(pool["qualification"], where=where)
    said = pool["said"]
    size = RequestSize(int(said["patients"]), bool(said.get("several_folds")))
    about = {"teacher": pool["digests"]["teacher"], "data": pool["data"], "code": pool["code"]}
    problem = qualification.problem(about, size=size, recipe=recipe)
    if pool.get("trusted"):
        problem = "weights without a record of their training were taken on trust"
    if problem:
        return Verdict("INCONCLUSIVE", problem, (Check(ALIKE, False, problem),))
    measured = qualification.measured(size, recipe)
    recovered = measured.recovery()
    decisions = dict(said["decisions"])
    decisions["kept_members"] = tuple(decisions["kept_members"])
    verdict = decide_amortised(
        Delivered(
            patients=size.patients,
            several=size.several,
            teacher=float(said["teacher"][0]),
            unlearned=float(said["unlearned"][0]),
            members=np.array([one[0] for one in said["members"]], dtype=float),
            decisions=Decided(**decisions),
        ),
        measured.procedure(),
        kept_by_members=measured.kept_by_members(),
        recovery=recovered,
        checks=[*model_guard(pool, task=task), recovery_check(recovered, steps=measured.recovery_steps)],
        exchangeable=Check(ALIKE, True, "same teacher, data, recipe and code"),
        level=level,
    )
    if not verdict.evidence:
        return verdict
    renewed = sum(bool(one.get("unlearned")) for one in pool["members"])
    found = dict(verdict.evidence["recovery"])
    for name, metric in measured.recovered_metric().items():
        found[name] |= {f"{kind}_{task.key_metric}": value for kind, value in metric.items()}
    more = agreed(pool) | {"recovery": found} | {"pool": {"members": len(pool["members"]), "renewed": renewed}}
    return replace(verdict, evidence={**verdict.evidence, **more})
