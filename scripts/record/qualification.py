"""What mock requests said of a procedure, as preparation wrote it beside the fold teachers.

No id stands in it: requests by number, models by digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.errors import InputError
from scripts.files import read_json, reading
from scripts.record.mock_scores import REMEDY, MockScores
from scripts.record.request_size import RequestSize
from scripts.verify.mock_requests import LEAST_REQUESTS

VERSION = "2"
FILE_NAME = "qualification.json"
ABOUT = ("teacher", "data", "code")  # of what it speaks: another one has to be qualified again


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
    def sizes(self) -> dict[RequestSize, Any]:
        """What was measured by mock requests of each size.

        Raises:
            InputError: the file is damaged.
        """
        with reading(self.where, remedy=REMEDY):
            return {RequestSize.read(key): found for key, found in self.content["sizes"].items()}

    @property
    def wanted(self) -> set[RequestSize]:
        """Sizes that are measured, or were when preparation was interrupted.

        Raises:
            InputError: the file is damaged.
        """
        with reading(self.where, remedy=REMEDY):
            return {RequestSize.read(key) for key in [*self.content["sizes"], *self.content.get("wanted", ())]}

    def same(self, about: Mapping[str, Any], *, size: RequestSize, keys: Sequence[str]) -> bool:
        """Whether it is of these mock requests, teacher, data and code."""
        return self.about == dict(about) and self.sizes.get(size, {}).get("keys") == list(keys)

    def problem(self, about: Mapping[str, Any], *, size: RequestSize, recipe: str) -> str:
        """Why it does not speak for a request, in words; empty where it does.

        Args:
            about: digests of the request's teacher and data, and the code.
            size: of the request.
            recipe: digest of the procedure by which the student was made.
        """
        for name in ABOUT:
            if self.content.get(name) != about[name]:
                return f"mock requests were measured with another {name}; {REMEDY}"
        if size not in self.sizes:
            known = ", ".join(str(one) for one in sorted(self.sizes)) or "none"
            return f"mock requests of {size} were not measured (of {known} they were)"
        answered = self.answered(size)
        if recipe not in answered:
            return "the student was made with other settings than the mock requests"
        if (count := len(answered[recipe])) < LEAST_REQUESTS:
            made = sum(len(rows) for rows in answered.values())
            return f"{count} of {made} mock requests were answered as this one, at least {LEAST_REQUESTS} are needed"
        return ""

    def answered(self, size: RequestSize) -> dict[str, list[dict[str, Any]]]:
        """Recipe -> the mock requests of a size that were answered by it.

        Raises:
            InputError: the file is damaged.
        """
        found: dict[str, list[dict[str, Any]]] = {}
        with reading(self.where, remedy=REMEDY):
            for row in self.content["sizes"][size.key]["requests"]:
                found.setdefault(str(row["recipe"]), []).append(row)
        return found

    def measured(self, size: RequestSize, recipe: str) -> MockScores:
        """What mock requests of a size say that were answered by a recipe.

        Raises:
            InputError: the file is damaged.
        """
        with reading(self.where, remedy=REMEDY):
            steps = int(self.content["sizes"][size.key]["recovery_steps"])
        return MockScores(self.answered(size)[recipe], where=self.where, recovery_steps=steps)
