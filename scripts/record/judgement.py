"""`run verify`: from the scores of a pool to `release/verdict.json` and an exit code."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.cohort.membership import record_path
from scripts.errors import InputError
from scripts.files import write_json
from scripts.identity.identity import plain_digest
from scripts.record.amortised_evidence import KIND as AMORTISED
from scripts.record.amortised_evidence import judge_amortised
from scripts.record.contents import Unreadable, file_digest, read_object
from scripts.record.paired_evidence import KIND as PAIRED
from scripts.record.paired_evidence import judge_paired
from scripts.record.phase import procedure_digest
from scripts.record.run_folder import RunFolder
from scripts.record.subgroup_guard import numbered_groups
from scripts.record.tries import Tries, level_of
from scripts.tasks.task import Task
from scripts.verify.contrasts import MARGIN
from scripts.verify.verdict import RELEVANT, Verdict

VERSION = "2"  # of the form of verdict.json
SCORES = "scores.json"
SOURCE = f"private/{SCORES}"
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
        task: whose margins are applied: what a measure may lose is no setting.
    """

    def __init__(self, *, folder: RunFolder, teacher: str | Path, task: Task) -> None:
        self.folder, self.teacher, self.task = folder, Path(teacher), task
        self.tries = Tries(folder)
        self.verdict: Verdict | None = None

    def run(self) -> None:
        """Decide, write, say.

        Raises:
            InputError: another goal than unlearn; no scores, or scores of another student than the run's.
        """
        self.folder.refuse_ended()
        pool, sources = self.read()
        look = _look(pool)
        number = self.tries.number(look)
        verdict = self.verdict = self._decide(pool, level=level_of(number))
        content = self.content(verdict, pool, sources, number)
        if (key := numbered_groups(pool)) or (self.folder.private / GROUPS).exists():
            write_json(self.folder.private / GROUPS, key)
        level = level_of(number)
        self.tries.note(look=look, outcome=verdict.outcome, level=level, plan=str(pool["plan"]))
        write_json(self.folder.verdict, content)
        # A verdict that is not noted here was not written by this command: `commit` asks.
        self.folder.note(verdict=verdict.outcome, verdict_digest=file_digest(self.folder.verdict))
        self.folder.write_manifest()
        if number:
            print(
                f"verify: try {number + 1} of this run, at a level of {level:.2g} where the first had {level_of(0):g}"
            )
        print(f"{verdict.outcome}: {verdict.reason}")
        for check in verdict.checks:
            print(f"  {_MET[check.met]:8} {check.name}: {check.detail}")
        print(f"verdict: {self.folder.verdict}")

    def again(self) -> dict[str, Any]:
        """The content that verdict.json has where it is computed now; nothing is written.

        Raises:
            InputError: as `run`.
        """
        pool, sources = self.read()
        number = self.tries.number(_look(pool))
        return self.content(self._decide(pool, level=level_of(number)), pool, sources, number)

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
            Refused: scores without a plan that was noted before them.
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
        if pool.get("evidence") not in (PAIRED, AMORTISED):
            raise InputError(f"{path}: not readable; run references again (the file names no kind of evidence)")
        for name, file in (("delivered", self.folder.student), ("teacher", self.teacher)):
            if not file.is_file() or _digest_of(file, follow=name == "teacher") != digests.get(name):
                raise InputError(f"{file}: is not the model that was scored; run references again")
        self.tries.require_plan(pool.get("plan"))
        sources: dict[str, str | None] = {SOURCE: digest}
        record = record_path(self.teacher)
        sources["record of the teacher"] = _digest_of(record, follow=True) if record.is_file() else None
        return pool, sources

    def _decide(self, pool: Mapping[str, Any], *, level: float) -> Verdict:
        try:
            recipe = procedure_digest(self.folder.root)
            if pool["evidence"] == AMORTISED:
                where = self.folder.private / SCORES
                return judge_amortised(pool, task=self.task, recipe=recipe, level=level, where=where)
            return judge_paired(pool, task=self.task, trained=self._trained(), recipe=recipe, level=level)
        except InputError:
            raise
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
            return Verdict("INCONCLUSIVE", f"the evidence cannot be computed: {_told(error)}")

    def _trained(self) -> dict[str, Any]:
        """The record beside the teacher; empty where there is none."""
        path = record_path(self.teacher)
        return read_object(os.path.realpath(path), remedy="train the teacher again")[0] if path.is_file() else {}

    def content(
        self, verdict: Verdict, pool: Mapping[str, Any], sources: Mapping[str, str | None], number: int
    ) -> dict[str, Any]:
        """Of verdict.json: the decision, and all by which it can be computed again.

        Args:
            number: of the try, from 0.
        """
        return {
            "version": VERSION,
            "computed_from": dict(sources),
            "outcome": verdict.outcome,
            "exit_code": verdict.exit_code,
            "wording": WORDING[verdict.outcome],
            "reason": verdict.reason,
            "goal": "unlearn",
            "evidence_kind": pool.get("evidence"),
            "checks": [vars(check) for check in verdict.checks],
            "evidence": dict(verdict.evidence),
            "margin": MARGIN,
            "try": number + 1,
            "level": level_of(number),
            "plan": pool["plan"],
            "relevant_gap": RELEVANT,
            "task": self.task.name,
            "key_metric": self.task.key_metric,
            "not_tested": list(NOT_TESTED),
            "models": dict(pool["digests"]),
        }


def _look(pool: Mapping[str, Any]) -> str:
    """Digest of the models' scores: with the same ones more attacks are no further try."""
    return plain_digest([pool.get(name) for name in ("evidence", "models", "delivered", "said")])


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
