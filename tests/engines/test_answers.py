"""Scores on the selection set that are written down once: found again by contents, and by nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from scripts.engines.answers import PoolAnswers
from scripts.engines.reference import load_fold_reference, member_paths
from scripts.errors import InputError


def test_a_score_belongs_to_the_weights_and_to_how_they_were_asked(bench, tmp_path: Path) -> None:
    model, copy = bench.model_dir / "model.pt", tmp_path / "other_name.pt"
    shutil.copy(model, copy)
    PoolAnswers(tmp_path, about=["selection", 1]).add({(model,): 2.5})
    again = PoolAnswers(tmp_path, about=["selection", 1])
    assert again.score([model]) == again.score([copy]) == 2.5
    assert again.score([bench.model_dir / "model_fold0.pt"]) is None
    assert again.score([model, model]) is None
    assert PoolAnswers(tmp_path, about=["another selection", 1]).score([model]) is None


def test_known_scores_give_the_same_calibration_and_no_selection_image_is_looked_at(bench) -> None:
    about = {
        "cohort": bench.cohort,
        "records": bench.cohort.forget,
        "network": bench.network(),
        "teacher": bench.teacher,
        "model_dir": bench.model_dir,
        "task": bench.task,
        "arithmetic": bench.arithmetic,
    }
    from scripts.engines.predict import predict
    from scripts.engines.reference import FoldMean

    measured = load_fold_reference(**about, selection=lambda: bench.loaders().evaluation("selection"))
    known = {}
    for fold in measured.networks:
        assert len(member_paths(bench.model_dir, fold)) == 1
        mean = FoldMean([measured.networks[fold].members[0]], task=bench.task)
        scores = [
            predict(net, bench.loaders().evaluation("selection"), task=bench.task, arithmetic=bench.arithmetic)
            for net in (bench.teacher, mean)
        ]
        known[fold] = scores[0].mean("score"), scores[1].mean("score")

    def nobody() -> None:
        raise AssertionError("the selection set was asked for")

    found = load_fold_reference(**about, selection=nobody, known=known)
    assert found.factors == pytest.approx(measured.factors)


@pytest.mark.parametrize("text", ["{", '{"format": 1, "scores": {"a": "2"}}', '{"format": 2, "scores": {}}'])
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "answers.json").write_text(text)
    with pytest.raises(InputError, match=r"answers\.json"):
        PoolAnswers(tmp_path, about=None)
