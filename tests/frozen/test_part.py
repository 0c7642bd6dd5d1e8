"""The trainable part alone, on stored constants, beside the whole network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from scripts.frozen.cache import FrozenCache
from scripts.frozen.cut import Run, find_constants, perturbed
from scripts.frozen.part import FrozenPart
from scripts.student.adapter import AdapterStudent
from scripts.student.teacher import freeze
from torch import nn


def _networks() -> dict[str, tuple[nn.Module, int, int]]:
    """name -> (network, spatial dims, input size)."""
    from monai.networks.nets import BasicUNet, DenseNet, FlexibleUNet, SegResNet, UNet

    sizes = {"features": (4, 4, 8, 8, 8, 4)}
    levels = {"channels": (4, 8, 8), "strides": (2, 2), "num_res_units": 1, "norm": "batch"}
    dense = {"init_features": 8, "growth_rate": 4, "block_config": (2, 2, 2)}
    segres = {"init_filters": 8, "blocks_down": (1, 1, 1), "blocks_up": (1, 1)}
    return {
        "BasicUNet 2D": (BasicUNet(2, 1, 1, norm=("batch", {}), **sizes), 2, 32),
        "BasicUNet 3D": (BasicUNet(3, 1, 1, norm=("batch", {}), **sizes), 3, 32),
        "UNet 2D": (UNet(2, 1, 1, **levels), 2, 32),
        "UNet 3D": (UNet(3, 1, 1, **levels), 3, 16),
        "SegResNet 2D": (SegResNet(2, in_channels=1, out_channels=1, **segres), 2, 32),
        "DenseNet 2D": (DenseNet(2, 1, 3, **dense), 2, 32),
        "DenseNet 3D": (DenseNet(3, 1, 3, **dense), 3, 32),
        "FlexibleUNet 2D": (FlexibleUNet(1, 1, "resnet18", decoder_channels=(32, 16, 8, 8, 4)), 2, 64),
    }


NAMES = tuple(
    f"{name} {dims}D"
    for name, dims in (
        ("BasicUNet", 2),
        ("BasicUNet", 3),
        ("UNet", 2),
        ("UNet", 3),
        ("SegResNet", 2),
        ("DenseNet", 2),
        ("DenseNet", 3),
        ("FlexibleUNet", 2),
    )
)


@pytest.fixture(scope="module")
def networks() -> dict[str, tuple[nn.Module, int, int]]:
    torch.manual_seed(0)
    found = _networks()
    for network, dims, size in found.values():
        # Statistics of its own, so that BatchNorm is no identity.
        with torch.no_grad():
            network.train()(torch.randn(2, 1, *[size] * dims))
        freeze(network)
    return found


def student_of(network: nn.Module, dims: int, size: int, scope: str = "decoder+head") -> AdapterStudent:
    """A student whose adapter is no longer at zero."""
    sample = torch.zeros(1, 1, *[size] * dims)
    student = AdapterStudent.attach(network, scope=scope, rank=2, alpha=4.0, dropout=0.0, sample=sample, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in student.trainable():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return student


def plain(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    return network(images).float()


def gradients(logits: torch.Tensor, parameters: list[nn.Parameter]) -> list[torch.Tensor]:
    """Gradients of a loss of these logits."""
    return list(torch.autograd.grad(logits.square().mean(), parameters))


def part_of(student: AdapterStudent, folder: Path, run: Run = plain) -> FrozenPart:
    cache = FrozenCache(folder=folder, megabytes=1000)
    return FrozenPart(network=student.network, run=run, stored=cache.stored("student"), worth=0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("phase", ["forget", "restore"])
def test_logits_and_gradients_are_those_of_the_whole_network(
    name: str, phase: str, networks: dict[str, tuple[nn.Module, int, int]], tmp_path: Path
) -> None:
    teacher, dims, size = networks[name]
    student = student_of(teacher, dims, size)
    student.train()
    if phase == "restore":
        student.open_head()
        student.eval()
    trained = student.head_parameters() if phase == "restore" else student.trainable()
    images = torch.randn(3, 1, *[size] * dims, generator=torch.Generator().manual_seed(2))
    part = part_of(student, tmp_path)
    whole = plain(student.network, images)
    expected = gradients(whole, trained)
    for _ in range(2):  # computed, then looked up
        logits = part.logits(images, ["a", "b", "c"])
        assert torch.allclose(logits, whole, atol=1e-5)
        for own, other in zip(gradients(logits, trained), expected, strict=True):
            assert torch.allclose(own, other, atol=1e-5 * max(1.0, float(other.abs().max())))
    assert part.names, "nothing was found to be constant"
    assert part.stored.computed == 3 and part.stored.looked_up == 3
    # Other order, other batch size: still each image's own rows.
    assert torch.allclose(part.logits(images[[2, 0]], ["c", "a"]), whole[[2, 0]], atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_frozen_part_is_not_run_again(
    name: str, networks: dict[str, tuple[nn.Module, int, int]], tmp_path: Path
) -> None:
    """The images do not matter any more: the rows carry all of the encoder that the decoder reads."""
    teacher, dims, size = networks[name]
    student = student_of(teacher, dims, size)
    images = torch.randn(2, 1, *[size] * dims)
    part = part_of(student, tmp_path)
    first = part.logits(images, ["a", "b"])
    ran: list[str] = []
    for constant in part.names:
        student.network.get_submodule(constant).register_forward_hook(
            lambda _m, _i, _o, name=constant: ran.append(name)
        )
    assert torch.equal(first, part.logits(torch.zeros_like(images), ["a", "b"])) and not ran


def test_what_costs_less_than_reading_it_is_run(
    networks: dict[str, tuple[nn.Module, int, int]], tmp_path: Path
) -> None:
    """With LoRA behind the first convolution that one is all that is constant, and not worth its bytes."""
    teacher, dims, size = networks["BasicUNet 2D"]
    student = student_of(teacher, dims, size, scope=r"^(?!conv_0\.conv_0\.).*")
    images = torch.randn(2, 1, size, size)
    found = find_constants(student.network, images[:1], run=plain, worth=0)
    assert [constant.name for constant in found] == ["inner.conv_0.conv_0"]
    # 3 x 3 x 1 multiplications for each of its numbers of four bytes
    assert find_constants(student.network, images[:1], run=plain, worth=9 / 4) == found
    assert find_constants(student.network, images[:1], run=plain, worth=9 / 4 + 0.01) == ()
    cache = FrozenCache(folder=tmp_path / "frozen", megabytes=1000)
    part = FrozenPart(network=student.network, run=plain, stored=cache.stored("student"))
    assert torch.equal(part.logits(images, ["a", "b"]), plain(student.network, images))
    assert part.names == [] and not (tmp_path / "frozen").exists()


def test_what_training_changes_is_not_constant(networks: dict[str, tuple[nn.Module, int, int]]) -> None:
    teacher, dims, size = networks["UNet 2D"]
    student = student_of(teacher, dims, size)
    sample = torch.randn(1, 1, size, size)
    names = [constant.name for constant in find_constants(student.network, sample, run=plain, worth=0)]
    outputs: dict[str, list[torch.Tensor]] = {name: [] for name in names}
    for name in names:
        student.network.get_submodule(name).register_forward_hook(
            lambda _m, _i, output, name=name: outputs[name].append(output.clone())
        )
    plain(student.network, sample)
    with perturbed(student.trainable()):
        moved = plain(student.network, sample)
    assert names and not torch.equal(moved, plain(student.network, sample))
    for first, second, _ in outputs.values():
        assert torch.equal(first, second)


class Hidden(nn.Module):
    """Its second part depends on the first through `.data`: autograd does not see it."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 2, 1)
        self.second = nn.Conv2d(2, 2, 1).requires_grad_(False)
        self.last = nn.Conv2d(2, 1, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        hidden = self.second(self.first(image).data)
        return self.last(hidden)


def test_a_dependence_that_autograd_does_not_see_is_found() -> None:
    network = Hidden()
    assert find_constants(network.eval(), torch.randn(1, 1, 4, 4), run=plain, worth=0) == ()
    network.first.requires_grad_(False)
    found = {
        constant.name: constant.needed
        for constant in find_constants(network, torch.randn(1, 1, 4, 4), run=plain, worth=0)
    }
    assert found == {"first": False, "second": True}


def test_perturbed_weights_come_back_bit_for_bit() -> None:
    layer = nn.Linear(3, 3)
    before = layer.weight.detach().clone()
    with perturbed([layer.weight]):
        assert not torch.equal(layer.weight, before)
    assert torch.equal(layer.weight, before)


def test_bf16_rows_are_those_of_the_autocast_pass(
    networks: dict[str, tuple[nn.Module, int, int]], tmp_path: Path
) -> None:
    def run(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return network(images).float()

    teacher, dims, size = networks["UNet 2D"]
    student = student_of(teacher, dims, size)
    images = torch.randn(2, 1, size, size)
    part = part_of(student, tmp_path, run)
    for _ in range(2):
        assert torch.allclose(part.logits(images, ["a", "b"]), run(student.network, images), atol=0.02)
    found = find_constants(student.network, images[:1], run=run, worth=0)
    assert any(torch.bfloat16 in constant.dtypes for constant in found)
