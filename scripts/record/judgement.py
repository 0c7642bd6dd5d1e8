"""`run verify`: from the scores of a pool to `release/verdict.json` and an exit code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from scripts.cohort.provenance import SPLIT, provenance_path
from scripts.errors import InputError
from scripts.files import write_json
from scripts.record.clinical_guard import clinical_guard
from scripts.record.informing import informing
from scripts.record.run_folder import RunFolder
from scripts.record.scored import request_scores
from scripts.record.subgroup_guard import measured_subgroups, subgroup_check
from scripts.verify.contrasts import MARGIN
from scripts.verify.recovery import Recovery, recovery_family
from scripts.verify.verdict import LEVEL, Check, Verdict, decide

WORDING = {
    "PASS": "No detectable difference from models that never saw the data.",
    "FAIL-under": "The model still knows the data that it was to forget.",
    "FAIL-over": "The model departs from models that never saw the data: it marks what was forgotten.",
    "INCONCLUSIVE": "The evidence does not decide.",
    "NO-MEASURABLE-INFLUENCE": "The data had no measurable influence on the model, so that none can have been removed.",
}
_MET = {True: "met", False: "not met", None: "not made"}
NOT_TESTED = (
    "other copies of the data and of the model: backups, exports, models trained from this one",
    "attacks with access to the training process or to intermediate checkpoints",
    "scores of images that are not in the data set but show the same patients",
)


class Judgement:
    """Reads `private/scores.json`, decides, and writes the verdict.

    Args:
        folder: of the run whose student is judged.
        teacher: path of the delivered model's original.
        relevant: gap, nats, below which the data left no trace.
        clinical_margin: loss of the key metric against the retrained models that is accepted.
        key_metric: of the task.
    """

    def __init__(
        self, *, folder: RunFolder, teacher: str | Path, relevant: float, clinical_margin: float, key_metric: str
    ) -> None:
        for name, value in (("relevant_gap", relevant), ("clinical_margin", clinical_margin)):
            if not value > 0:
                raise InputError(f"{name}: {value} is not a number above 0")
        self.folder, self.teacher = folder, Path(teacher)
        self.relevant, self.clinical_margin, self.key_metric = float(relevant), float(clinical_margin), key_metric
        self.verdict: Verdict | None = None

    def run(self) -> None:
        """Decide, write, say.

        Raises:
            InputError: another goal than unlearn; no scores, or scores of another student than the run's.
        """
        self.folder.refuse_ended()
        if (goal := self.folder.read_state().get("goal", "unlearn")) != "unlearn":
            raise InputError(f"goal: '{goal}': a verdict compares with retrained models, which is for 'unlearn' alone")
        pool = self._read()
        verdict = self.verdict = self._decide(pool)
        write_json(self.folder.verdict, self._content(verdict, pool))
        self.folder.note(verdict=verdict.outcome)
        self.folder.write_manifest()
        print(f"{verdict.outcome}: {verdict.reason}")
        for check in verdict.checks:
            print(f"  {_MET[check.met]:8} {check.name}: {check.detail}")
        qualified = {True: "yes", False: "no", None: "not tried (run qualify)"}[self._qualified(pool)]
        print(f"procedure qualified by mock requests: {qualified}")
        print(f"verdict: {self.folder.verdict}")

    def end(self) -> None:
        """End the command with the verdict's exit code.

        Raises:
            SystemExit: 3 FAIL, 4 INCONCLUSIVE, 5 NO-MEASURABLE-INFLUENCE; a PASS ends as any command.
        """
        if self.verdict is None:
            raise RuntimeError("nothing was judged")
        if self.verdict.exit_code:
            raise SystemExit(self.verdict.exit_code)

    def _read(self) -> dict[str, Any]:
        path = self.folder.private / "scores.json"
        if not path.is_file():
            raise InputError(f"{path}: no scores; run references first, with the same output_dir")
        try:
            pool = json.loads(path.read_text(encoding="utf-8"))
            digests = pool["digests"]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not readable; run references again") from error
        for name, file in (("delivered", self.folder.student), ("teacher", self.teacher)):
            if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != digests[name]:
                raise InputError(f"{file}: is not the model that was scored; run references again")
        return pool

    def _decide(self, pool: Mapping[str, Any]) -> Verdict:
        try:
            scores = request_scores(pool)
            metric, margin = self.key_metric, self.clinical_margin
            groups = measured_subgroups(pool, key_metric=metric, margin=margin)
            guard = clinical_guard(pool, key_metric=metric, margin=margin) + subgroup_check(groups, margin=margin)
            recovered = recovery_family(pool["recovery"]) if pool.get("recovery") else {}
            verdict = decide(
                scores,
                checks=[*guard, recovery_check(recovered)],
                exchangeable=self._exchangeable(pool),
                budget=int(pool["budget"]),
                relevant=self.relevant,
            )
            if not verdict.evidence:
                return verdict
            more = informing(pool) | {
                "recovery": {name: asdict(one) for name, one in recovered.items()},
                "subgroups": [asdict(group) for group in groups],
            }
            return replace(verdict, evidence={**verdict.evidence, **more})
        except (ValueError, KeyError, TypeError) as error:
            return Verdict("INCONCLUSIVE", f"the evidence cannot be computed: {error}")

    def _exchangeable(self, pool: Mapping[str, Any]) -> Check:
        """Whether teacher and student were made as originals and unlearned models of the pool were."""
        name = "made alike"
        path = provenance_path(self.teacher)
        if not path.is_file() or not pool["training"]:
            return Check(name, False, "no record of the teacher's training lies beside it")
        own, others = json.loads(path.read_text(encoding="utf-8")), pool["training"]
        pairs = [("data_set", own.get("data_set"), others.get("data_set"))]
        pairs += [(key, own.get("split", {}).get(key), others.get("split", {}).get(key)) for key in SPLIT]
        trained, theirs = own.get("training", {}), others.get("training", {})
        pairs += [(key, trained.get(key), theirs.get(key)) for key in sorted({*trained, *theirs} - {"seed"})]
        for key, mine, other in pairs:
            if mine != other:
                return Check(name, False, f"the teacher was trained with {key} {mine!r}, the references with {other!r}")
        if trained.get("seed") in pool.get("seeds", ()):
            return Check(name, False, "the teacher has the seed of a reference")
        if pool["recipes"] != [self.folder.read_state().get("recipe", "")]:
            return Check(name, False, "the student was unlearned with other settings than the references")
        return Check(name, True, "same training, same recipe, seeds of their own")

    def _qualified(self, pool: Mapping[str, Any]) -> bool | None:
        """Whether mock requests qualified this procedure on this teacher; None where that was not tried."""
        path = self.folder.qualification
        if not path.is_file():
            return None
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            same = found["teacher"] == pool["digests"]["teacher"] and found["recipes"] == pool["recipes"]
            return bool(found["qualified"]) if same else None
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not readable; run qualify again") from error

    def _content(self, verdict: Verdict, pool: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "outcome": verdict.outcome,
            "exit_code": verdict.exit_code,
            "wording": WORDING[verdict.outcome],
            "reason": verdict.reason,
            "goal": "unlearn",
            "checks": [vars(check) for check in verdict.checks],
            "evidence": dict(verdict.evidence),
            "margin": MARGIN,
            "relevant_gap": self.relevant,
            "clinical_margin": self.clinical_margin,
            "procedure_qualified": self._qualified(pool),
            "not_tested": list(NOT_TESTED),
            "models": dict(pool["digests"]),
        }


def recovery_check(found: Mapping[str, Recovery]) -> Check:
    """Whether under no attack more than the margin comes back, at 1 % for the family."""
    if not found:
        return Check("recovery", None, "no attack was made")
    worst = min(found, key=lambda name: found[name].p_value)
    told = ", ".join(f"{name} {one.fraction:+.2f}" for name, one in found.items())
    detail = f"part of the gap that is there after: {told}; least p {found[worst].p_value:.3f} ({worst})"
    return Check("recovery", found[worst].p_value >= LEVEL, detail)
