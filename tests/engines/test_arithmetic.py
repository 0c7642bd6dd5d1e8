"""Device, precision and memory format."""

from __future__ import annotations

import pytest
import torch
from scripts import processes
from scripts.engines import arithmetic as arithmetic_module
from scripts.engines.arithmetic import Arithmetic, has_bf16, pick_device
from scripts.errors import InputError
from torch import nn


@pytest.mark.parametrize("name", ["cpuu", "cuda:99", "nothing at all"])
def test_a_device_that_is_not_here_is_one_line(name: str) -> None:
    with pytest.raises(InputError, match=f"device: '{name}' is not available here; allowed: auto, cpu, cuda:N"):
        pick_device(name)


def test_auto_is_a_device_that_works() -> None:
    assert torch.ones(2, device=pick_device("auto")).sum() == 2
    assert pick_device("cpu").type == "cpu"


@pytest.fixture
def bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has bf16, whatever this one is: emulated, the figures are the same."""
    monkeypatch.setattr(arithmetic_module, "has_bf16", lambda device: True)


@pytest.mark.parametrize("there", [False, True])
def test_auto_takes_bf16_where_it_is_and_says_nothing_where_not(
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder, there: bool
) -> None:
    monkeypatch.setattr("scripts.engines.arithmetic.has_bf16", lambda device: there)
    assert Arithmetic(device="cpu", amp="auto").amp is there
    assert not recwarn.list


def test_unknown_amp_is_refused() -> None:
    with pytest.raises(InputError, match="amp: 'bf16' is unknown; allowed: true, false, auto"):
        Arithmetic(device="cpu", amp="bf16")


@pytest.mark.parametrize("amp", [False, True])
def test_logits_are_float32(bf16: None, amp: bool) -> None:
    seen: list[torch.dtype] = []
    network = nn.Conv2d(1, 1, 3)
    network.register_forward_hook(lambda module, args, output: seen.append(output.dtype))
    found = Arithmetic(device="cpu", amp=amp).logits(network, torch.rand(2, 1, 8, 8))
    assert seen == [torch.bfloat16 if amp else torch.float32] and found.dtype == torch.float32


def test_autocast_is_close_to_full_precision(bf16: None) -> None:
    torch.manual_seed(0)
    network, images = nn.Conv2d(1, 4, 3), torch.rand(2, 1, 8, 8)
    exact = Arithmetic(device="cpu").logits(network, images)
    rough = Arithmetic(device="cpu", amp=True).logits(network, images)
    assert not torch.equal(exact, rough) and torch.allclose(exact, rough, atol=2e-2)


def test_without_bf16_in_hardware_it_goes_on_in_float32_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetic_module, "has_bf16", lambda device: False)
    with pytest.warns(UserWarning, match="amp: cpu has no bf16 arithmetic; going on in float32"):
        arithmetic = Arithmetic(device="cpu", amp=True)
    network, images = nn.Conv2d(1, 1, 3), torch.rand(2, 1, 8, 8)
    assert torch.equal(arithmetic.logits(network, images), network(images))


def test_bf16_is_asked_of_the_machine() -> None:
    assert has_bf16(torch.device("cpu")) == torch.ops.mkldnn._is_mkldnn_bf16_supported()
    assert not has_bf16(torch.device("meta"))


@pytest.mark.parametrize(
    ("layer", "shape", "form"),
    [
        (nn.Conv2d(3, 4, 3), (2, 3, 8, 8), torch.channels_last),
        (nn.Conv3d(3, 4, 3), (2, 3, 8, 8, 8), torch.channels_last_3d),
    ],
)
def test_channels_last_reaches_weights_and_images_and_changes_no_figure(layer, shape, form) -> None:
    images = torch.rand(shape)
    expected = layer(images)
    arithmetic = Arithmetic(device="cpu", channels_last=True)
    layer = arithmetic.place(layer)
    batch = arithmetic.move({"image": images, "image_id": ["a", "b"]})
    assert layer.weight.is_contiguous(memory_format=form) and batch["image"].is_contiguous(memory_format=form)
    assert batch["image_id"] == ["a", "b"]
    assert torch.allclose(arithmetic.logits(layer, batch["image"]), expected, atol=1e-5)


def test_threads_are_pinned_only_where_asked() -> None:
    before = torch.get_num_threads()
    try:
        Arithmetic(device="cpu")
        assert torch.get_num_threads() == before
        Arithmetic(device="cpu", threads=1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_each_process_has_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "size", lambda: 2)
    monkeypatch.setattr(processes, "local_rank", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("auto") == torch.device("cuda:1")
    assert pick_device("cpu") == torch.device("cpu")
    with pytest.raises(InputError, match="device: 'cuda:0' is one device for 2 processes; allowed: auto, cpu"):
        pick_device("cuda:0")
