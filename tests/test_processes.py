"""One process alone is as if there were no others; what torchrun must have set is asked for in one line."""

from __future__ import annotations

import sys

import pytest
import torch
import torch.distributed as dist
from scripts import errors, processes
from scripts.errors import InputError
from scripts.processes import NEEDED, Processes
from torch import nn


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No trace of a launcher."""
    for name in (*NEEDED, "LOCAL_WORLD_SIZE", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def launched(environment: pytest.MonkeyPatch, *, rank: int = 0, size: int = 2) -> None:
    """The environment of torchrun."""
    values = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size, "MASTER_PORT": 1}
    for name, value in {**values, "MASTER_ADDR": "localhost", "TORCHELASTIC_RUN_ID": "none"}.items():
        environment.setenv(name, str(value))


def test_alone_nothing_is_joined(environment: pytest.MonkeyPatch) -> None:
    group = Processes(distributed=False)
    group.join()
    assert not dist.is_initialized() and (processes.size(), processes.rank(), processes.first()) == (1, 0, True)
    group.leave()


@pytest.mark.parametrize("missing", NEEDED)
def test_a_missing_variable_is_named(environment: pytest.MonkeyPatch, missing: str) -> None:
    launched(environment)
    environment.delenv(missing)
    with pytest.raises(InputError, match=f"distributed: True, but the environment variables {missing} are not set"):
        Processes(distributed=True).join()
    assert not dist.is_initialized()


def test_torchrun_without_the_setting_is_refused(environment: pytest.MonkeyPatch) -> None:
    launched(environment, size=1)
    Processes(distributed=False).join()
    launched(environment)
    with pytest.raises(InputError, match="torchrun started 2 processes.*lay configs/multi_gpu_train.yaml"):
        Processes(distributed=False).join()


@pytest.mark.parametrize("rank", [0, 1])
def test_more_processes_than_gpus_are_refused_in_all_alike(environment: pytest.MonkeyPatch, rank: int) -> None:
    launched(environment, rank=rank)
    environment.setattr(torch.cuda, "is_available", lambda: True)
    environment.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError, match="--nproc_per_node: 2 processes for 1 GPUs"):
        Processes(distributed=True).join()


@pytest.mark.parametrize("value", ["true", 1, None])
def test_the_setting_is_true_or_false(value: object) -> None:
    with pytest.raises(InputError, match=f"distributed: '{value}' is not True or False"):
        Processes(distributed=value)  # type: ignore[arg-type]


def test_a_group_of_one_is_joined_once_and_left_by_who_joined(environment: pytest.MonkeyPatch, tmp_path) -> None:
    launched(environment, size=1)
    environment.setenv("MASTER_PORT", "0")
    hook = sys.excepthook
    outer, inner = Processes(distributed=True, device="cpu"), Processes(distributed=True, device="cpu")
    outer.join()
    try:
        assert sys.excepthook is hook
        inner.join()
        inner.leave()
        assert dist.is_initialized() and processes.size() == 1
        assert processes.claim("error: a", 2) and not processes.claim("error: a", 2)
    finally:
        outer.leave()
    assert not dist.is_initialized()


def test_alone_values_pass_through() -> None:
    assert processes.gathered(3) == [3] and processes.agreed("a") == "a" and processes.once(lambda: 5) == 5
    tensor = torch.ones(2)
    assert processes.summed(tensor) is tensor
    layer = nn.Linear(2, 1)
    layer(torch.ones(1, 2)).sum().backward()
    before = layer.weight.grad.clone()
    processes.sum_gradients(layer.parameters())
    assert torch.equal(layer.weight.grad, before)


def test_alone_an_error_is_its_own() -> None:
    def refuse() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        processes.once(refuse)
    assert processes.failed_elsewhere() is None


@pytest.mark.parametrize(("rank", "lines"), [(0, 1), (1, 0)])
def test_before_they_have_joined_the_first_on_a_machine_speaks(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rank: int, lines: int
) -> None:
    launched(environment, rank=rank)
    error = InputError("unknown key")
    with pytest.raises(SystemExit) as ended:
        errors._report(InputError, error, None)
    assert ended.value.code == 2 and capsys.readouterr().err.count("error: unknown key") == lines


def test_without_torchrun_a_number_in_the_environment_silences_nobody(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("LOCAL_RANK", "1")
    with pytest.raises(SystemExit):
        errors._report(InputError, InputError("unknown key"), None)
    assert capsys.readouterr().err == "error: unknown key\n"


def test_what_ended_another_process_is_not_reported_as_ones_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(processes, "failed_elsewhere", lambda: 3)
    lost = RuntimeError("Connection closed by peer")
    with pytest.raises(SystemExit) as ended:
        errors._report(RuntimeError, lost, None)
    assert ended.value.code == 3 and capsys.readouterr().err == ""
