"""What mock requests said of a procedure, as preparation wrote it beside the fold teachers.

No id stands in it: requests by number, models by digest. Who reads it judges again from the scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scripts.errors import InputError
from scripts.files import read_json, reading
from scripts.messages import number_of
from scripts.verify.mock_requests import Departures, Procedure, judge_procedure
from scripts.verify.recovery import Recovery, recovery_family

VERSION = "1"
FILE_NAME = "qualification.json"
ABOUT = ("teacher", "data", "code")  # of what it speaks: another one has to be qualified again
REMEDY = "run prepare again"


class Qualification:
    """The content of `qualification.json`.

    Args:
        content: of the file.
        where: its path, for messages.
    """

    def __init__(self, content: Mapping[str, Any], *, where: Path) -> None:
        self.content, self.where = content, where

    @classmethod
    def read(cls, folder: str | Path) -> Qualification | None:
        """None where nothing was qualified, or by another version.

        Raises:
            InputError: the file is damaged.
        """
        path = Path(folder) / FILE_NAME
        if not path.is_file():
            return None
        content = read_json(path, remedy=REMEDY)
        if content.get("version") != VERSION:
            return None
        if not isinstance(content.get("sizes"), dict):
            raise InputError(f"{path}: is damaged, not what this bundle writes; {REMEDY}")
        return cls(content, where=path)

    @property
    def about(self) -> dict[str, Any]:
        """Digests of teacher and data, and the code."""
        return {name: self.content.get(name) for name in ABOUT}

    @property
    def sizes(self) -> dict[str, Any]:
        """Patients of a mock request, as text -> what was measured."""
        return dict(self.content["sizes"])

    def same(self, about: Mapping[str, Any], *, size: int, keys: Sequence[str]) -> bool:
        """Whether it is of these mock requests, teacher, data and code."""
        return self.about == dict(about) and self.sizes.get(str(size), {}).get("keys") == list(keys)

    def problem(self, about: Mapping[str, Any], *, size: int, recipe: str) -> str:
        """Why it does not speak for a request, in words; empty where it does.

        Args:
            about: digests of the request's teacher and data, and the code.
            size: patients of the request.
            recipe: digest of the procedure by which the student was made.
        """
        for name in ABOUT:
            if self.content.get(name) != about[name]:
                return f"mock requests were measured with another {name}; {REMEDY}"
        if str(size) not in self.sizes:
            known = ", ".join(sorted(self.sizes)) or "none"
            return f"mock requests of {number_of(size, 'patient')} were not measured (of {known} they were)"
        if self.sizes[str(size)].get("recipes") != [recipe]:
            return "the student was made with other settings than the mock requests"
        return ""

    def procedure(self, size: int) -> Procedure:
        """The three rules, computed from the scores.

        Raises:
            InputError: the file is damaged.
        """
        with reading(self.where, remedy=REMEDY):
            rows = self.sizes[str(size)]["requests"]
            teacher, unlearned, members = _scores(rows)
            said = (np.array([row["decisions"][name] for row in rows]) for name in ("unlearned", "teacher", "members"))
            return judge_procedure(teacher=teacher, unlearned=unlearned, members=members, answers=Departures(*said))

    def kept_by_members(self, size: int) -> list[float]:
        """Kept parts of the members against the others of their fold, over all mock requests.

        Raises:
            InputError: the file is damaged.
        """
        with reading(self.where, remedy=REMEDY):
            rows = self.sizes[str(size)]["requests"]
            found = [value for row in rows for value in row["decisions"]["kept_members"]]
            return [float(value) for value in found if value is not None]

    def recovery_steps(self, size: int) -> int:
        """Of the attacks that train."""
        with reading(self.where, remedy=REMEDY):
            return int(self.sizes[str(size)]["recovery_steps"])

    def recovery(self, size: int) -> dict[str, Recovery]:
        """Attack -> what comes back on mock requests, beyond what it gives the members.

        Raises:
            InputError: the file is damaged.
        """
        with reading(self.where, remedy=REMEDY):
            rows = self.sizes[str(size)]["requests"]
            teacher, _, members = _scores(rows)
            names = sorted({name for row in rows for name in row["recovery"]})
            attacked = {
                name: {
                    "unlearned": [row["recovery"][name]["unlearned"][0] for row in rows],
                    "retrained": [np.mean([one[0] for one in row["recovery"][name]["members"]]) for row in rows],
                }
                for name in names
            }
            return recovery_family(attacked, gap=teacher - members.mean(1)) if attacked else {}

    def recovered_metric(self, size: int) -> dict[str, dict[str, float]]:
        """Attack -> mean of the key metric after it over mock requests, of unlearned models and of members.

        Raises:
            InputError: the file is damaged.
        """
        with reading(self.where, remedy=REMEDY):
            rows = self.sizes[str(size)]["requests"]
            found: dict[str, dict[str, float]] = {}
            for name in sorted({name for row in rows for name in row["recovery"]}):
                own = [row["recovery"][name] for row in rows]
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
