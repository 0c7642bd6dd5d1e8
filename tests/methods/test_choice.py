"""Which method answers a request, and the file that says what preparation found."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scripts.errors import InputError
from scripts.methods.choice import choose
from scripts.methods.recipe_file import RecipeFile
from tests.methods.test_methods import ABOUT, one_fold

PREFERENCE = ["fold_start", "erase_to_retain"]
SETTINGS = {"fold_start": {"retain_batch": 4}, "erase_to_retain": {"trainable": "all", "max_rounds": 2}}


def recipes(**changes: Any) -> RecipeFile:
    reasons = {name: f"why {name}" for name in PREFERENCE}
    values = {"teacher": "digest", "preference": PREFERENCE, "reasons": reasons, "settings": SETTINGS}
    return RecipeFile(**values | changes)


def chosen(bench: Any, found: RecipeFile | None, *, cohort: Any = None, **settings: Any) -> Any:
    about = ABOUT | {"method": "auto"} | settings
    return choose(about, cohort=cohort or one_fold(bench.cohort, 0), recipes=found, pool=bench.model_dir)


def test_auto_takes_what_was_preferred_with_its_recipe(bench) -> None:
    found = chosen(bench, recipes())
    assert (found.method.name, found.reason, found.method.recipe.retain_batch) == ("fold_start", "why fold_start", 4)


def test_auto_goes_on_to_the_next_where_the_request_does_not_allow_the_first(bench, tmp_path: Path) -> None:
    half = chosen(bench, recipes(), cohort=bench.cohort)
    assert half.method.name == "erase_to_retain" and half.method.recipe.max_rounds == 2
    assert "fold_start is not possible: no fold teacher is clean of most of the images" in half.reason
    about = ABOUT | {"method": "auto"}
    missing = choose(about, cohort=one_fold(bench.cohort, 0), recipes=recipes(), pool=tmp_path)
    assert "the fold teacher that never saw the patients is not there" in missing.reason
    outside = chosen(bench, recipes(), cohort=replace(bench.cohort, folds={}))
    assert "a patient is in no fold" in outside.reason and outside.method.name == "erase_to_retain"


def test_auto_goes_on_to_a_method_that_takes_what_was_given(bench) -> None:
    found = chosen(bench, recipes(settings={**SETTINGS, "erase_to_retain": {}}), lora_rank=2)
    assert found.method.name == "erase_to_retain" and found.method.recipe.rank == 2
    assert "fold_start is not possible: lora_rank: 2 has no effect with trainable: all" in found.reason


def test_auto_without_preparation_says_so(bench) -> None:
    found = chosen(bench, None)
    assert (found.method.name, found.reason) == ("erase_to_retain", "nothing was prepared for this teacher")
    suppress = chosen(bench, recipes(), goal="suppress")
    assert suppress.reason.startswith("the only one for goal: suppress")
    assert suppress.method.recipe.trainable == "adapter"


def test_a_method_that_is_asked_for_takes_its_recipe_too(bench) -> None:
    found = chosen(bench, recipes(), method="erase_to_retain")
    assert (found.reason, found.method.recipe.max_rounds) == ("asked for", 2)
    assert chosen(bench, recipes(), method="erase_to_retain", max_rounds=3).method.recipe.max_rounds == 3


def test_file_comes_back(tmp_path: Path) -> None:
    assert RecipeFile.read(tmp_path) is None
    made = recipes(trials=[{"method": "fold_start", "seconds": 3.0}])
    made.write(tmp_path)
    assert RecipeFile.read(tmp_path) == made


def test_file_of_another_teacher_is_not_used_and_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model.pt").write_bytes(b"weights")
    recipes().write(tmp_path)
    assert RecipeFile.of_teacher(tmp_path, teacher=tmp_path / "model.pt") is None
    assert "was made for another teacher and is not used" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"format": 9}, "format '9' is unknown"),
        ({"preference": "fold_start"}, "is damaged"),
        ({"preference": ["untrain"]}, "method 'untrain' is not one of erase_to_retain, fold_start"),
        ({"reasons": {}}, "has no reason or no settings"),
        ({"settings": {"fold_start": {"retain_bacth": 3}, "erase_to_retain": {}}}, "'retain_bacth' is no setting"),
        ({"settings": {"fold_start": {"retain_batch": -3}, "erase_to_retain": {}}}, "retain_batch"),
    ],
)
def test_damaged_file_is_refused(tmp_path: Path, change: dict[str, Any], text: str) -> None:
    path = recipes().write(tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=text) as caught:
        RecipeFile.read(tmp_path)
    assert str(path) in str(caught.value)
