"""The verdicts of a run so far: each is noted when it is made, with the plan that was written before it.

Who may look again until a look pleases him passes too often: with 4 pairs, then 12, a model at the margin passes in
14 % of draws where 5 % were meant. All tries of a run share one level of error: the first has four fifths of it, every
further one four fifths of what is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.errors import Refused
from scripts.record.keys import canonical
from scripts.record.ledger import Ledger, chain_errors, read_entries
from scripts.record.run_folder import AGAIN, RunFolder

LEVEL, FIRST = 0.05, 0.8  # of all tries together; share of what is left that a try has
PLAN, VERDICT = "plan", "verdict"  # kinds of entries before a commit


def level_of(number: int) -> float:
    """Level of a try, counted from 0: their sum stays below `LEVEL`."""
    return float(LEVEL * FIRST * (1 - FIRST) ** int(number))


class Tries:
    """Plans and verdicts in the ledger of a run; it is signed when the run is committed.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.ledger = Ledger(folder.release / "ledger.jsonl")

    def entries(self) -> list[dict[str, Any]]:
        """What is noted.

        Raises:
            InputError: the ledger is damaged.
            Refused: it is not what the run wrote, or was cut.
        """
        path, noted = self.ledger.path, self.folder.read_state().get("tries", 0)
        found = read_entries(path) if path.exists() else []
        if broken := chain_errors(found):
            raise Refused(f"{path}: {broken[0]}; {AGAIN}")
        if len(found) < noted:
            raise Refused(f"{path}: holds {len(found)} of the {noted} entries that the run wrote; {AGAIN}")
        return found

    def plan(self, body: Mapping[str, Any]) -> str:
        """Note what is going to be judged, before it is looked at; the same plan again is not noted twice.

        Returns:
            The entry's hash, by which the scores name their plan.
        """
        plans = [entry for entry in self.entries() if entry["kind"] == PLAN]
        if plans and canonical(plans[-1]["body"]) == canonical(dict(body)):
            return str(plans[-1]["hash"])
        return self._append(PLAN, body)

    def number(self, look: str) -> int:
        """How many other scores were judged before these.

        Args:
            look: their digest; to judge the same ones again is no further try.
        """
        judged, earlier = self._judged(), self.earlier
        return earlier + (judged.index(look) if look in judged else len(judged))

    @property
    def earlier(self) -> int:
        """Verdicts on earlier runs for the same request, which were given up: `run process` counts them."""
        found = self.folder.read_state().get("earlier_tries", 0)
        return found if type(found) is int and found > 0 else 0

    def require_plan(self, plan: object) -> None:
        """Refuse scores whose plan was not noted before.

        Raises:
            Refused: it was not.
        """
        if plan not in [entry["hash"] for entry in self.entries() if entry["kind"] == PLAN]:
            raise Refused(f"{self.ledger.path}: holds no plan of the scores of this run; run references again")

    def note(self, *, look: str, outcome: str, level: float, plan: str) -> None:
        """Note a verdict; the same one again is not noted twice."""
        body = {"scores": look, "outcome": outcome, "level": level, "plan": plan}
        known = [entry["body"] for entry in self.entries() if entry["kind"] == VERDICT]
        if body not in known:
            self._append(VERDICT, body)

    def _judged(self) -> list[str]:
        """Digests of the scores that were judged, in order, each once."""
        found = [str(entry["body"].get("scores")) for entry in self.entries() if entry["kind"] == VERDICT]
        return list(dict.fromkeys(found))

    def _append(self, kind: str, body: Mapping[str, Any]) -> str:
        entry = self.ledger.append(kind, body)
        self.folder.note(tries=entry["index"] + 1)
        return str(entry["hash"])
