"""The trial can be taken up again, and taken back bit for bit."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from scripts.errors import InputError, Refused
from scripts.record.run_folder import RunFolder
from scripts.record.trial import Reversal, forgotten_weights, load_trial, trial_folder


def test_reversal_gives_the_teacher_bit_for_bit(bench, forget_run, capsys: pytest.CaptureFixture[str]) -> None:
    folder, _, _ = forget_run()
    student = load_trial(folder=folder, teacher=bench.teacher, arithmetic=bench.arithmetic, open_head=True)
    with torch.no_grad():
        for value in student.head_parameters():
            value.add_(1.0)  # as restoration does
    Reversal(folder=folder, student=student).run()
    found, expected = torch.load(folder.release / "teacher.pt", weights_only=True), bench.teacher.state_dict()
    assert list(found) == list(expected)
    assert all(torch.equal(value, expected[name]) for name, value in found.items())
    assert not folder.student.exists() and folder.read_state()["state"] == "reverted"
    assert "bit for bit" in capsys.readouterr().out
    files = folder.manifest.read_text()
    assert "release/teacher.pt" in files and "release/student.pt" not in files
    with pytest.raises(Refused, match="was reverted; run forget again, in another output_dir") as caught:
        load_trial(folder=folder, teacher=bench.teacher, arithmetic=bench.arithmetic)
    assert caught.value.exit_code == 6


def test_a_trial_is_taken_up_with_its_head_open_or_closed(bench, finished) -> None:
    for open_head in (False, True):
        student = load_trial(
            folder=finished.folder, teacher=bench.teacher, arithmetic=bench.arithmetic, open_head=open_head
        )
        assert all(p.requires_grad == open_head for p in student.head_parameters())
        assert all(p.requires_grad != open_head for p in student.trainable())


def test_another_teacher_is_refused(bench, finished) -> None:
    with pytest.raises(InputError, match="made for another teacher"):
        load_trial(folder=finished.folder, teacher=bench.network(seed=8), arithmetic=bench.arithmetic)


def test_no_run_and_no_adapter(bench, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no run; give the folder that `forget` wrote"):
        trial_folder(output_dir=str(tmp_path), request="")
    folder = RunFolder(output_dir=tmp_path, log=False)
    folder.note(state="trial")
    found = trial_folder(output_dir=str(tmp_path), request="")
    assert found.root == tmp_path
    with pytest.raises(InputError, match="no student; run forget first"):
        load_trial(folder=found, teacher=bench.teacher, arithmetic=bench.arithmetic)
    with pytest.raises(InputError, match="no student; run forget first"):
        forgotten_weights(found)


def test_folder_by_the_name_of_the_request(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    RunFolder(name="phantom-example", log=False).note(state="trial")
    request = str(repository / "sample_data" / "request.csv")
    assert trial_folder(output_dir="", request=request).root == Path("eval/phantom-example")


def test_restoration_goes_on_from_what_forgetting_wrote(finished) -> None:
    assert forgotten_weights(finished.folder) == hashlib.sha256(finished.folder.student.read_bytes()).hexdigest()
