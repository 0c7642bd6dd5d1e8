"""`run verify`: from the scores of a pool to `release/verdict.json` and an exit code."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from scripts.cohort.membership import record_path
from scripts.errors import InputError
from scripts.files import write_json
from scripts.record.clinical_guard import clinical_guard
from scripts.record.contents import Unreadable, alike, file_digest, read_object
from scripts.record.exchangeable import made_alike
from scripts.record.informing import informing
from scripts.record.phase import procedure_digest
from scripts.record.run_folder import RunFolder
from scripts.record.scored import request_scores
from scripts.record.subgroup_guard import measured_subgroups, numbered_groups, subgroup_check
from scripts.verify.contrasts import MARGIN
from scripts.verify.qualification import qualify
from scripts.verify.recovery import Recovery, recovery_family
from scripts.verify.verdict import LEVEL, Check, Verdict, decide

VERSION = "1"  # of the form of verdict.json
SCORES = "scores.json"
QUALIFICATION_SCORES = "qualification_scores.json"
GROUPS = "groups.json"  # numbers of groups that have no agreed name -> what the data calls them; private
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
        pool, sources = self.read()
        verdict = self.verdict = self._decide(pool)
        content = self.content(verdict, pool, sources)
        if (key := numbered_groups(pool)) or (self.folder.private / GROUPS).exists():
            write_json(self.folder.private / GROUPS, key)
        write_json(self.folder.verdict, content)
        # A verdict that is not noted here was not written by this command: `commit` asks.
        self.folder.note(verdict=verdict.outcome, verdict_digest=file_digest(self.folder.verdict))
        self.folder.write_manifest()
        print(f"{verdict.outcome}: {verdict.reason}")
        for check in verdict.checks:
            print(f"  {_MET[check.met]:8} {check.name}: {check.detail}")
        qualified = {True: "yes", False: "no", None: "not tried (run qualify)"}[content["procedure_qualified"]]
        print(f"procedure qualified by mock requests: {qualified}")
        print(f"verdict: {self.folder.verdict}")

    def again(self) -> dict[str, Any]:
        """The content that verdict.json has where it is computed now; nothing is written.

        Raises:
            InputError: as `run`.
        """
        pool, sources = self.read()
        return self.content(self._decide(pool), pool, sources)

    def end(self) -> None:
        """End the command with the verdict's exit code.

        Raises:
            SystemExit: 3 FAIL, 4 INCONCLUSIVE, 5 NO-MEASURABLE-INFLUENCE; a PASS ends as any command.
        """
        if self.verdict is None:
            raise RuntimeError("nothing was judged")
        if self.verdict.exit_code:
            raise SystemExit(self.verdict.exit_code)

    def read(self) -> tuple[dict[str, Any], dict[str, str | None]]:
        """The scores, and the SHA-256 of every file that the verdict is computed from; None: it is not there.

        Raises:
            InputError: another goal than unlearn; no scores, or of other models than the run's; a damaged file.
        """
        if (goal := self.folder.read_state().get("goal", "unlearn")) != "unlearn":
            raise InputError(f"goal: '{goal}': a verdict compares with retrained models, which is for 'unlearn' alone")
        path = self.folder.private / SCORES
        if not os.path.lexists(path):
            raise InputError(f"{path}: no scores; run references first, with the same output_dir")
        pool, digest = read_object(path, remedy="run references again")
        digests = pool.get("digests")
        if not isinstance(digests, dict):
            raise InputError(f"{path}: not readable; run references again (the file names no models)")
        for name, file in (("delivered", self.folder.student), ("teacher", self.teacher)):
            if not file.is_file() or _digest_of(file, follow=name == "teacher") != digests.get(name):
                raise InputError(f"{file}: is not the model that was scored; run references again")
        sources: dict[str, str | None] = {f"private/{SCORES}": digest}
        for name, file in (
            ("record of the teacher", record_path(self.teacher)),
            ("release/qualification.json", self.folder.qualification),
        ):
            sources[name] = _digest_of(file, follow=file != self.folder.qualification) if file.is_file() else None
        return pool, sources

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
        except InputError:
            raise
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
            return Verdict("INCONCLUSIVE", f"the evidence cannot be computed: {_told(error)}")

    def _exchangeable(self, pool: Mapping[str, Any]) -> Check:
        """Whether teacher and student were made as originals and unlearned models of the pool were."""
        path = record_path(self.teacher)
        own = read_object(os.path.realpath(path), remedy="train the teacher again")[0] if path.is_file() else {}
        return made_alike(
            own=own,
            others=pool["training"],
            seeds=pool.get("seeds", ()),
            recipe=procedure_digest(self.folder.root),
            recipes=pool["recipes"],
            trusted=bool(pool.get("trusted")),
        )

    def _qualified(self, pool: Mapping[str, Any]) -> bool | None:
        """Whether mock requests qualified this procedure on this teacher; None where that was not tried."""
        path = self.folder.qualification
        if not path.is_file():
            return None
        remedy = "run qualify again"
        found, _ = read_object(path, remedy=remedy)
        scores, _ = read_object(self.folder.private / QUALIFICATION_SCORES, remedy=remedy)
        try:
            new = asdict(qualify(**{kind: scores[kind] for kind in ("original", "unlearned", "retrained")}))
        except (ValueError, LookupError, TypeError, ArithmeticError) as error:
            raise InputError(f"{self.folder.private / QUALIFICATION_SCORES}: not readable; {remedy}") from error
        # Computed again as the verdict is: what is published can be written by hand.
        if any(name not in found or not alike(found[name], value) for name, value in new.items()):
            raise InputError(f"{path}: is not what its scores give; {remedy}")
        same = found.get("teacher") == pool["digests"]["teacher"] and found.get("recipes") == pool.get("recipes")
        return bool(new["qualified"]) if same else None

    def content(self, verdict: Verdict, pool: Mapping[str, Any], sources: Mapping[str, str | None]) -> dict[str, Any]:
        """Of verdict.json: the decision, and all by which it can be computed again."""
        return {
            "version": VERSION,
            "computed_from": dict(sources),
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
            "key_metric": self.key_metric,
            "procedure_qualified": self._qualified(pool),
            "not_tested": list(NOT_TESTED),
            "models": dict(pool["digests"]),
        }


def _told(error: Exception) -> str:
    """What may be published of an error: our own statistics name no data, but Python quotes the value at fault."""
    text = str(error)
    if not isinstance(error, ValueError) or any(quote in text for quote in "'\"`"):
        return f"{SCORES} lacks a value, or holds one of a wrong type"
    return text


def _digest_of(path: Path, *, follow: bool) -> str:
    """SHA-256 of a file; the hospital's own may be links, those of the run may not."""
    try:
        return file_digest(os.path.realpath(path) if follow else path)
    except Unreadable as error:
        raise InputError(f"{path}: {error}") from error


def recovery_check(found: Mapping[str, Recovery]) -> Check:
    """Whether under no attack more than the margin comes back, at 1 % for the family."""
    if not found:
        return Check("recovery", None, "no attack was made")
    worst = min(found, key=lambda name: found[name].p_value)
    told = ", ".join(f"{name} {one.fraction:+.2f}" for name, one in found.items())
    detail = f"part of the gap that is there after: {told}; least p {found[worst].p_value:.3f} ({worst})"
    return Check("recovery", found[worst].p_value >= LEVEL, detail)
