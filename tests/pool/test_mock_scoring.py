"""A request of several folds: each patient beside models of his own fold, on networks of a plain training loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scripts.attacks.quantisation import Quantised
from scripts.engines.models import place_teacher
from scripts.engines.predict import predict
from scripts.pool.mock_scoring import MockScoring


@pytest.fixture
def scoring(bench: Any, monkeypatch: pytest.MonkeyPatch) -> MockScoring:
    monkeypatch.setattr(MockScoring, "attacks", lambda self, without: {"int8": Quantised(8)})
    about = {"task": bench.task, "arithmetic": bench.arithmetic, "teacher": bench.model_dir / "model.pt"}
    return MockScoring(loaders=bench.loaders(), network=bench.network(), **about)


def asked(bench: Any) -> dict[int, list[Any]]:
    """The images of the request, which is of one patient of each fold."""
    found: dict[int, list[Any]] = {}
    for record in bench.cohort.forget:
        found.setdefault(bench.cohort.fold_of(record), []).append(record)
    assert sorted(found) == [0, 1]
    return found


def corrected(scoring: MockScoring, path: Path, records: list[Any]) -> float:
    """Mean score of one patient's images less that of the validation images."""
    network = place_teacher(network=scoring.network, path=path, arithmetic=scoring.arithmetic)

    def mean(batches: Any) -> float:
        return predict(network, batches, task=scoring.task, arithmetic=scoring.arithmetic).mean("score")

    return mean(scoring._batches(records)) - mean(scoring.loaders.evaluation("validation"))


def test_each_patient_beside_models_of_his_own_fold(bench: Any, scoring: MockScoring) -> None:
    teacher, folds = bench.model_dir / "model.pt", [bench.model_dir / f"model_fold{fold}.pt" for fold in (0, 1)]
    request = asked(bench)
    (row,) = scoring.requests([(request, folds[0])], {fold: [folds[fold], teacher] for fold in (0, 1)})
    by_hand = [np.mean([corrected(scoring, folds[fold], request[fold]) for fold in (0, 1)])]
    by_hand.append(np.mean([corrected(scoring, teacher, request[fold]) for fold in (0, 1)]))
    assert [one[0] for one in row["members"]] == pytest.approx(by_hand, abs=1e-5)
    student = np.mean([corrected(scoring, folds[0], request[fold]) for fold in (0, 1)])
    assert row["unlearned"][0] == pytest.approx(student, abs=1e-5)
    assert len(row["recovery"]["int8"]["members"]) == 2


def test_of_one_fold_it_is_the_same_alone_and_beside_others(bench: Any, scoring: MockScoring) -> None:
    folds = [bench.model_dir / f"model_fold{fold}.pt" for fold in (0, 1)]
    parts = [({fold: records}, folds[fold]) for fold, records in asked(bench).items()]
    members = {fold: [folds[fold], folds[1 - fold]] for fold in (0, 1)}
    together = scoring.requests(parts, members)
    alone = [scoring.requests([part], members)[0] for part in parts]
    for one, other in zip(together, alone, strict=True):
        assert one["unlearned"] == pytest.approx(other["unlearned"], abs=1e-5)
        assert one["decisions"]["unlearned"] == pytest.approx(other["decisions"]["unlearned"], abs=1e-5)


def test_no_attack_trains_on_a_patient_of_a_request(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[set[str]] = []
    monkeypatch.setattr(MockScoring, "attacks", lambda self, without: told.append(set(without)) or {})
    about = {"task": bench.task, "arithmetic": bench.arithmetic, "teacher": bench.model_dir / "model.pt"}
    scoring = MockScoring(loaders=bench.loaders(), network=bench.network(), **about)
    request = asked(bench)
    path = bench.model_dir / "model_fold0.pt"
    scoring.requests([(request, path), ({0: request[0][:1]}, path)], {fold: [path, path] for fold in (0, 1)})
    first, second = ({record["patient_id"] for record in request[fold]} for fold in (0, 1))
    # Of each fold: members, and the student that has patients in the other one as well.
    assert told == [first, first | second, second, first | second]
