"""Scores of mock requests that were answered by one recipe; who reads them judges again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scripts.files import reading
from scripts.verify.mock_requests import Departures, Procedure, judge_procedure
from scripts.verify.recovery import Recovery, recovery_family

REMEDY = "run prepare again"


class MockScores:
    """What `qualification.json` holds of them.

    Args:
        rows: one a mock request, as `scripts.pool.mock_scoring` makes them.
        where: path of the file, for messages.
        recovery_steps: of the attacks that train.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], *, where: Path, recovery_steps: int = 0) -> None:
        self.rows, self.where, self.recovery_steps = rows, where, recovery_steps

    def procedure(self) -> Procedure:
        """The three rules, computed from the scores.

        Raises:
            InputError: the file is damaged.
        """
        with reading(self.where, remedy=REMEDY):
            teacher, unlearned, members = _scores(self.rows)
            said = (
                np.array([row["decisions"][name] for row in self.rows]) for name in ("unlearned", "teacher", "members")
            )
            return judge_procedure(teacher=teacher, unlearned=unlearned, members=members, answers=Departures(*said))

    def kept_by_members(self) -> list[float]:
        """Kept parts of the members against the others of their fold, over all mock requests.

        Raises:
            InputError: the file is damaged.
        """
        with reading(self.where, remedy=REMEDY):
            found = [value for row in self.rows for value in row["decisions"]["kept_members"]]
            return [float(value) for value in found if value is not None]

    def recovery(self) -> dict[str, Recovery]:
        """Attack -> what comes back on mock requests, beyond what it gives the members.

        Raises:
            InputError: the file is damaged.
        """
        with reading(self.where, remedy=REMEDY):
            teacher, _, members = _scores(self.rows)
            names = sorted({name for row in self.rows for name in row["recovery"]})
            attacked = {
                name: {
                    "unlearned": [row["recovery"][name]["unlearned"][0] for row in self.rows],
                    "retrained": [np.mean([one[0] for one in row["recovery"][name]["members"]]) for row in self.rows],
                }
                for name in names
            }
            return recovery_family(attacked, gap=teacher - members.mean(1)) if attacked else {}

    def recovered_metric(self) -> dict[str, dict[str, float]]:
        """Attack -> mean of the key metric after it over mock requests, of unlearned models and of members.

        Raises:
            InputError: the file is damaged.
        """
        with reading(self.where, remedy=REMEDY):
            found: dict[str, dict[str, float]] = {}
            for name in sorted({name for row in self.rows for name in row["recovery"]}):
                own = [row["recovery"][name] for row in self.rows]
                members = [np.mean([member[1] for member in one["members"]]) for one in own]
                unlearned = [one["unlearned"][1] for one in own]
                found[name] = {"unlearned": float(np.mean(unlearned)), "retrained": float(np.mean(members))}
            return found


def _scores(rows: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Corrected scores of teacher and unlearned models, (P,), and of members, (P, S)."""
    teacher, unlearned = (np.array([row[name][0] for row in rows], dtype=float) for name in ("teacher", "unlearned"))
    return teacher, unlearned, np.array([[one[0] for one in row["members"]] for row in rows], dtype=float)


def told(found: Procedure) -> str:
    """One line for a reader."""
    fraction = found.means.forgotten_fraction
    said = "-" if found.answers is None else f"{found.answers.value:.2f} ({found.answers.upper:.2f})"
    return (
        f"{'qualified' if found.qualified() else 'not qualified'}: FF {'-' if fraction is None else f'{fraction:.2f}'},"
        f" excess departure {found.scores.value:.2f} ({found.scores.upper:.2f}), of decisions {said},"
        f" {found.rate.count} of {found.rate.requests} beyond, at most {found.rate.bound:.0%} with 95 % confidence"
    )
