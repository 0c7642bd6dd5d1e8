"""The fold teachers: one run of the training workflow each, one after another or side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scripts.pool.fold_pool import FoldPool
from scripts.settings.given import Settings


def given(workflow: str = "train", **values: Any) -> Settings:
    return Settings(workflow, values, given=values)


def test_each_fold_is_one_run_of_the_same_workflow(tmp_path: Path) -> None:
    out = tmp_path / "seen.txt"
    (tmp_path / "train.yaml").write_text(
        "initialize: []\nfolds: 0\nfold: -1\nmember: 0\nseed: 0\nrun: \"$open(@out, 'a').write('never')\"\n"
        f"out: {out}\nepochs: 1\n"
        "single: \"$open(@out, 'a').write(str((@folds, @fold, @member, @seed, @epochs)))\"\n"
    )
    settings = given(epochs=3)
    FoldPool(workflow=tmp_path / "train.yaml", folds=2, members=2, seed=5, settings=settings).run()
    assert out.read_text() == "(2, 0, 0, 5, 3)(2, 0, 1, 10005, 3)(2, 1, 0, 5, 3)(2, 1, 1, 10005, 3)"


def test_a_part_that_was_changed_is_changed_in_every_fold(tmp_path: Path) -> None:
    out = tmp_path / "seen.txt"
    (tmp_path / "train.yaml").write_text(
        "initialize: []\nfolds: 0\nfold: -1\nmember: 0\nseed: 0\nhead: {lr: 0.5}\n"
        f"out: {out}\nsingle: \"$open(@out, 'a').write(str(@head::lr))\"\n"
    )
    settings = Settings("train", {}, parts={"head": {"lr": 0.25}})
    FoldPool(workflow=tmp_path / "train.yaml", folds=2, settings=settings).run()
    assert out.read_text() == "0.250.25"


def test_no_folds_is_no_run(tmp_path: Path) -> None:
    FoldPool(workflow=tmp_path / "absent.yaml", folds=0, settings=given()).run()


def test_what_is_there_is_not_looked_at(tmp_path: Path) -> None:
    pool = FoldPool(workflow="train.yaml", folds=2, members=2, settings=given(), folder=tmp_path)
    left = pool.trainings(present={(0, 0), (1, 1)})
    assert [(one.settings["fold"], one.settings["member"]) for one in left] == [(0, 1), (1, 0)]
    assert "output_dir" not in left[0].settings


def test_side_by_side_each_has_a_folder_of_its_own(tmp_path: Path) -> None:
    for own in ({"workers": 2}, {"backend": "ray"}):
        pool = FoldPool(workflow="train.yaml", folds=3, settings=given(output_dir="run"), folder=tmp_path, **own)
        assert len({one.settings["output_dir"] for one in pool.trainings()}) == 3
