"""What preparation wrote of mock requests is judged again, and speaks for its own teacher, data, code and recipe."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scripts.errors import InputError
from scripts.files import write_json
from scripts.record.mock_scores import told
from scripts.record.qualification import FILE_NAME, Qualification
from scripts.record.request_size import RequestSize

ABOUT = {"teacher": "t", "data": "d", "code": "c"}
MEMBERS = 3
ONE = RequestSize(1)


def content(*, kept: float = 0.0, back: float = 0.0, requests: int = 36, seed: int = 0) -> dict[str, Any]:
    """Of mock requests after which a part of the gap is kept, or comes back under an attack."""
    rng = np.random.default_rng(seed)

    def scores(level: float, *shape: int) -> Any:
        return (level + 0.15 * rng.standard_normal(shape)).tolist()

    rows = []
    for _ in range(requests):
        members = [[value, 0.8] for value in scores(0.0, MEMBERS)]
        rows.append(
            {
                "recipe": "r",
                "teacher": [scores(1.0), 0.9],
                "unlearned": [scores(kept), 0.8],
                "members": members,
                "decisions": {
                    "unlearned": kept**2 + 0.1,
                    "teacher": 1.1,
                    "members": 0.1,
                    "kept": kept,
                    "kept_members": [0.0] * MEMBERS,
                },
                "recovery": {"int8": {"unlearned": [scores(back), 0.8], "members": members}},
            }
        )
    own = {"requests": rows, "keys": ["k"] * requests, "members": MEMBERS, "recovery_steps": 20}
    return {"version": "2", **ABOUT, "sizes": {"1": own}}


def written(folder: Path, what: dict[str, Any]) -> Qualification:
    write_json(folder / FILE_NAME, what)
    found = Qualification.read(folder)
    assert found is not None
    return found


def test_it_is_judged_from_its_scores(tmp_path: Path) -> None:
    good = written(tmp_path, content())
    assert good.measured(ONE, "r").procedure().qualified() and good.measured(ONE, "r").recovery()["int8"].met()
    assert told(good.measured(ONE, "r").procedure()).startswith("qualified: FF ") and "of 36 beyond, at most" in told(
        good.measured(ONE, "r").procedure()
    )
    assert not written(tmp_path, content(kept=0.5)).measured(ONE, "r").procedure().qualified()
    assert not written(tmp_path, content(back=0.6)).measured(ONE, "r").recovery()["int8"].met()


def test_for_what_it_speaks(tmp_path: Path) -> None:
    found = written(tmp_path, content())
    assert found.problem(ABOUT, size=ONE, recipe="r") == ""
    for name in ABOUT:
        assert f"another {name}" in found.problem({**ABOUT, name: "x"}, size=ONE, recipe="r")
    assert "of 2 patients were not measured (of 1 patient they were)" in found.problem(
        ABOUT, size=RequestSize(2), recipe="r"
    )
    assert "with other settings" in found.problem(ABOUT, size=ONE, recipe="x")
    mixed = content()
    for row in mixed["sizes"]["1"]["requests"][:21]:
        row["recipe"] = "other"
    assert "15 of 36 mock requests were answered as this one" in written(tmp_path, mixed).problem(
        ABOUT, size=ONE, recipe="r"
    )
    assert written(tmp_path, mixed).problem(ABOUT, size=ONE, recipe="other") == ""
    keys = ["k"] * 36
    assert found.same(ABOUT, size=ONE, keys=keys)
    assert not found.same(ABOUT, size=ONE, keys=keys[1:]) and not found.same(ABOUT, size=RequestSize(2), keys=keys)
    assert not found.same({**ABOUT, "code": "x"}, size=ONE, keys=keys)


def test_what_is_not_there_or_of_another_version_is_none(tmp_path: Path) -> None:
    assert Qualification.read(tmp_path) is None
    write_json(tmp_path / FILE_NAME, {**content(), "version": "0"})
    assert Qualification.read(tmp_path) is None


@pytest.mark.parametrize("how", ["sizes", "requests", "row", "number", "few"])
def test_damage_is_one_line(tmp_path: Path, how: str) -> None:
    whole = copy.deepcopy(content())
    own = whole["sizes"]["1"]
    if how == "sizes":
        whole["sizes"] = []
    elif how == "requests":
        own["requests"] = None
    elif how == "row":
        del own["requests"][3]["members"]
    elif how == "number":
        own["requests"][3]["unlearned"][0] = "many"
    else:
        own["requests"] = own["requests"][:3]
    write_json(tmp_path / FILE_NAME, whole)
    with pytest.raises(InputError, match=r"qualification\.json: .*run prepare again"):
        found = Qualification.read(tmp_path)
        assert found is not None
        found.measured(ONE, "r").procedure()
