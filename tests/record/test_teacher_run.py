"""Trained weights on disk: written once, replaced only on purpose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine
from scripts.cohort.build import build_cohort
from scripts.cohort.model_record import ModelRecord
from scripts.cohort.split_file import RecordedSplit
from scripts.engines.handlers import KeepBest
from scripts.errors import InputError
from scripts.record.run_folder import RunFolder
from scripts.record.teacher_run import TeacherRun
from torch import nn


def teacher_run(root: Path, path: Path, *, weight: float = 1.0, fail: bool = False, **settings: Any) -> TeacherRun:
    """A training that sets a weight."""
    network = nn.Linear(1, 1)

    def step(engine: Engine, batch: int) -> None:
        if fail:
            raise KeyboardInterrupt
        with torch.no_grad():
            network.weight.fill_(weight)

    trainer = Engine(step)
    run = trainer.run
    trainer.run = lambda: run([0], max_epochs=2)  # type: ignore[method-assign]
    folder = RunFolder(output_dir=root, log=False)
    return TeacherRun(trainer=trainer, best=KeepBest(network=network), path=path, folder=folder, **settings)


def weight(path: Path) -> float:
    return float(torch.load(path, weights_only=True)["weight"])


def test_weights_are_a_plain_state_dict_and_the_run_is_noted(tmp_path: Path) -> None:
    teacher_run(tmp_path / "run", tmp_path / "models" / "model.pt").run()
    nn.Linear(1, 1).load_state_dict(torch.load(tmp_path / "models" / "model.pt", weights_only=True), strict=True)
    state = RunFolder(output_dir=tmp_path / "run", log=False).read_state()
    assert state["trained_model"] == {"select": "best", "epochs": 2}


def test_split_and_record_are_written_beside_the_weights(tmp_path: Path, bench: Any) -> None:
    teacher_run(tmp_path / "run", tmp_path / "model.pt", cohort=bench.cohort, settings={"seed": 0}).run()
    record = ModelRecord.read(tmp_path / "model.pt")
    assert record is not None and record.membership is not None
    assert all(record.membership.saw_image(one["image_id"]) for one in bench.cohort.retain)
    assert not any(record.membership.saw(one["patient_id"]) for one in bench.cohort.forget)
    assert record.left_out == len(bench.cohort.forget) and record.training == {"seed": 0}
    split = RecordedSplit.read(tmp_path / "split.json")
    assert split is not None and split.place(bench.source.records()) == bench.cohort.split


def test_what_is_finished_is_not_trained_again(tmp_path: Path, bench: Any, capsys: pytest.CaptureFixture[str]) -> None:
    alike = {"cohort": bench.cohort, "settings": {"seed": 0, "image_size": (32, 32)}, "identity": {"data": {"a": [1]}}}
    teacher_run(tmp_path / "run", tmp_path / "model.pt", **alike).run()
    for folder in ("run", "other"):
        teacher_run(tmp_path / folder, tmp_path / "model.pt", weight=2.0, **alike).run()
        assert "model.pt: already trained" in capsys.readouterr().out
    assert weight(tmp_path / "model.pt") == 1


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"settings": {"seed": 7}}, "was trained with seed 0, not 7"),
        ({"settings": {"seed": 0, "more": [1]}}, "was trained with another more"),
        ({"identity": {"data": {"digest": "b"}}}, "was trained with data.digest 'a', not 'b'"),
        ({"identity": {}}, "was trained with data.digest 'a', not None"),
        ({"fold": 1}, "was trained with fold -1, not 1"),
    ],
)
def test_a_model_that_was_trained_in_another_way_is_left_alone(
    tmp_path: Path, bench: Any, other: Any, words: str
) -> None:
    first = {"cohort": bench.cohort, "settings": {"seed": 0}, "identity": {"data": {"digest": "a"}}}
    path = tmp_path / "model.pt"
    teacher_run(tmp_path / "run", path, **first).run()
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(
        InputError, match=rf"model\.pt: exists already and {words}; give another model_dir or model_name"
    ):
        teacher_run(tmp_path / "run", path, weight=2.0, **first | other).run()
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
    teacher_run(tmp_path / "run", path, weight=2.0, overwrite=True, **first | other).run()
    assert weight(path) == 2


def test_a_model_of_other_patients_is_left_alone(tmp_path: Path, bench: Any) -> None:
    """A request whose patients are left out, onto the model that was trained on them; and a patient who left."""
    path, split = tmp_path / "model.pt", tmp_path / "split.json"
    shares = {"validation_share": 0.1, "test_share": 0.1, "folds": 2, "split_path": split}
    whole = build_cohort(bench.source, **shares)
    teacher_run(tmp_path / "run", path, cohort=whole).run()
    with pytest.raises(InputError, match=r"was trained without 0 images of a request, not without 4"):
        teacher_run(tmp_path / "run", path, cohort=bench.cohort).run()
    left = whole.retain[0]["patient_id"]

    class Less(type(bench.source)):  # type: ignore[misc]
        def records(self) -> list[dict[str, Any]]:
            return [record for record in super().records() if record["patient_id"] != left]

    with pytest.raises(InputError, match=r"was trained on 24 images; of the 22 of this run 0 were not among them"):
        teacher_run(tmp_path / "run", path, cohort=build_cohort(Less(), **shares)).run()


def test_weights_without_a_record_are_left_alone(tmp_path: Path, bench: Any) -> None:
    path = tmp_path / "model.pt"
    teacher_run(tmp_path / "run", path, cohort=bench.cohort).run()
    path.with_suffix(".json").unlink()
    with pytest.raises(InputError, match=r"model\.pt: exists already, without a record of how it was trained; give"):
        teacher_run(tmp_path / "run", path, cohort=bench.cohort, weight=2.0).run()
    assert weight(path) == 1


def test_another_split_is_refused_before_the_training(tmp_path: Path, bench: Any) -> None:
    other = {name: bench.cohort.recorded.settings[name] for name in ("validation_share", "test_share", "guard_share")}
    RecordedSplit.first(bench.source.records(), data_set="phantom", seed=5, **other).write(tmp_path / "split.json")
    with pytest.raises(InputError, match=r"split\.json: the split was made with split_seed = 5, not 0"):
        teacher_run(tmp_path / "run", tmp_path / "model.pt", cohort=bench.cohort, fail=True).run()
    with pytest.raises(InputError, match=r"model_name: the record beside .*split\.pt would be split\.json"):
        teacher_run(tmp_path / "run", tmp_path / "split.pt", cohort=bench.cohort, fail=True).run()


@pytest.mark.parametrize("finished", [True, False])
def test_what_replaces_a_model_does_not_go_on_where_it_ended(tmp_path: Path, finished: bool) -> None:
    checkpoint = RunFolder(output_dir=tmp_path / "run", log=False).checkpoint("model")
    checkpoint.parent.mkdir(parents=True)
    teacher_run(tmp_path / "run", tmp_path / "model.pt").run()
    torch.save({"engine": {"stopped": finished}}, checkpoint)
    teacher_run(tmp_path / "run", tmp_path / "model.pt", weight=2.0, overwrite=True).run()
    assert checkpoint.exists() is not finished and weight(tmp_path / "model.pt") == 2


@pytest.mark.parametrize("content", [b"", b"abc"])
def test_an_unreadable_checkpoint_is_left_to_who_resumes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "elsewhere.pt"
    path.write_bytes(content)
    for _ in range(2):
        teacher_run(tmp_path / "run", tmp_path / "model.pt", overwrite=True, checkpoint=path).run()
    assert path.read_bytes() == content


def test_interrupted_training_leaves_no_model(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        teacher_run(tmp_path / "run", tmp_path / "model.pt", fail=True).run()
    assert not (tmp_path / "model.pt").exists()


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_weights_are_not_written_under_the_name_of_another_kind(tmp_path: Path, bench: Any, name: str) -> None:
    with pytest.raises(InputError, match=f"model_name: {name} would hold torch weights"):
        teacher_run(tmp_path / "run", tmp_path / name, cohort=bench.cohort).run()
    assert not (tmp_path / name).exists()


def test_weights_that_were_exchanged_are_not_taken_for_trained(tmp_path: Path, bench: Any) -> None:
    path = tmp_path / "model.pt"
    teacher_run(tmp_path / "run", path, cohort=bench.cohort).run()
    torch.save({"weight": torch.zeros(1, 1), "bias": torch.zeros(1)}, path)
    with pytest.raises(InputError, match=r"model\.json: is the record of other weights"):
        teacher_run(tmp_path / "run", path, cohort=bench.cohort).run()
