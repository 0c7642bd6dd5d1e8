"""Networks that a config may name: logits of the right shape, and weights that follow from the seed."""

from __future__ import annotations

import pytest
import torch
from scripts.data.phantom import Phantom
from scripts.errors import InputError
from scripts.tasks import NETWORKS, build_network
from scripts.tasks.networks import check_fit, least_batch

SEGMENTING = ("unet_small", "unet_half", "flexible_unet_resnet34")


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_of_every_network(name: str) -> None:
    network = build_network(name=name, spatial_dims=2, in_channels=3, out_channels=2, seed=0).eval()
    size = 32 if name in SEGMENTING else 64
    with torch.no_grad():
        found = network(torch.rand(1, 3, size, size))
    assert found.shape == ((1, 2, size, size) if name in SEGMENTING else (1, 2))


def test_volumes() -> None:
    network = build_network(name="unet_half", spatial_dims=3, in_channels=1, out_channels=1).eval()
    with torch.no_grad():
        assert network(torch.rand(1, 1, 16, 16, 16)).shape == (1, 1, 16, 16, 16)


def test_weights_follow_from_the_seed_alone() -> None:
    settings = {"name": "unet_half", "spatial_dims": 2, "in_channels": 1, "out_channels": 1}
    torch.manual_seed(1)
    one = build_network(**settings, seed=4).state_dict()
    drawn = torch.rand(2)
    torch.manual_seed(1)
    assert torch.equal(drawn, torch.rand(2))  # the global generator is left as it was
    other, third = build_network(**settings, seed=4).state_dict(), build_network(**settings, seed=5).state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert any(not torch.equal(one[name], third[name]) for name in one)


def test_without_seed_the_global_generator_decides() -> None:
    settings = {"name": "unet_half", "spatial_dims": 2, "in_channels": 1, "out_channels": 1}
    torch.manual_seed(1)
    one, two = (build_network(**settings).state_dict() for _ in range(2))
    assert any(not torch.equal(one[name], two[name]) for name in one)


def test_unknown_network_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"network_name: 'unet_hlf' is not one of .*\(did you mean unet_half\?\)"):
        build_network(name="unet_hlf", spatial_dims=2, in_channels=1, out_channels=1)
    with pytest.raises(InputError, match="network_name: 'zzz' is not one of [^(]*$"):
        build_network(name="zzz", spatial_dims=2, in_channels=1, out_channels=1)


def runs(network: torch.nn.Module, size: tuple[int, ...], *, batch: int, training: bool) -> bool:
    """Whether the network gives logits, and of a mask's size where it segments."""
    try:
        with torch.no_grad():
            found = network.train(training)(torch.zeros(batch, 1, *size))
    except (RuntimeError, ValueError):
        return False
    return found.ndim == 2 or found.shape[2:] == size


def fits(name: str, size: tuple[int, ...], *, batch: int | None = None) -> bool:
    settings = {"network_name": name, "spatial_dims": len(size), "in_channels": 1, "out_channels": 1}
    try:
        check_fit(**settings, image_size=list(size), batch_size=batch)
    except InputError as error:
        assert "image_size" in str(error) and name in str(error)
        return False
    return True


@pytest.mark.parametrize("name", NETWORKS)
def test_sizes_are_refused_where_the_network_fails_and_only_there(name: str) -> None:
    network = build_network(name=name, spatial_dims=2, in_channels=1, out_channels=1, seed=0)
    lengths = (1, 8, 15, 16, 17, 28, 29, 31, 32, 33, 48, 60, 61, 64, 72, 96)
    for size in [(length, length) for length in lengths] + [(32, 64), (64, 96), (16, 64), (48, 64), (29, 61)]:
        assert fits(name, size) == runs(network, size, batch=1, training=False), size
        if fits(name, size):
            alone = runs(network, size, batch=1, training=True)
            assert alone == fits(name, size, batch=1), size
            least = least_batch(network_name=name, spatial_dims=2, image_size=size)
            assert least == (1 if alone else 2) and runs(network, size, batch=least, training=True)


def test_sizes_of_volumes() -> None:
    for name in ("unet_half", "unet_small"):
        network = build_network(name=name, spatial_dims=3, in_channels=1, out_channels=1, seed=0)
        for size in ((16, 16, 16), (16, 32, 16), (15, 16, 16), (24, 16, 16), (8, 32, 32)):
            assert fits(name, size) == runs(network, size, batch=1, training=False), (name, size)
            assert not fits(name, size) or fits(name, size, batch=1) == runs(network, size, batch=1, training=True)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"in_channels": 3}, "in_channels: 3, but data set 'phantom' is read with 1"),
        ({"spatial_dims": 3}, "spatial_dims: 3, but .* have 2"),
        ({"out_channels": 2}, "out_channels: 2, but task segmentation has 1 for data set"),
        ({"image_size": [64, 64, 64]}, r"image_size: \[64, 64, 64\] is not one number of pixels, or 2"),
        ({"image_size": "64"}, "image_size: 64 is not one number"),
        ({"image_size": 64.0}, "image_size: 64.0 is not one number"),
        ({"image_size": 0}, "image_size: 0 is not"),
        ({"image_size": 50}, "image_size: 50 does not fit network_name unet_small; allowed is a multiple of 16"),
        ({"image_size": 16, "batch_size": 1}, "batch_size: 1 with image_size 16"),
        ({"network_name": "unet"}, "network_name: 'unet' is not one of"),
    ],
)
def test_settings_unlike_the_data_or_the_network(changed: dict, words: str) -> None:
    fitting = {"network_name": "unet_small", "spatial_dims": 2, "in_channels": 1, "out_channels": 1, "image_size": 64}
    check_fit(**fitting, batch_size=1, source=Phantom())
    with pytest.raises(InputError, match=words):
        check_fit(**{**fitting, "source": Phantom(), **changed})


@pytest.mark.parametrize(("task", "name"), [("segmentation", "densenet121"), ("classification", "unet_half")])
def test_a_network_for_another_task_is_refused(task: str, name: str) -> None:
    settings = {"network_name": name, "spatial_dims": 2, "in_channels": 1, "out_channels": 1, "image_size": 64}
    with pytest.raises(InputError, match=f"network_name: {name} does not answer task {task}; allowed: "):
        check_fit(**settings, source=Phantom(task=task))


def test_classes_of_the_data_are_the_logits() -> None:
    settings = {"network_name": "densenet121", "spatial_dims": 2, "in_channels": 1, "image_size": 64}
    source = Phantom(task="classification")
    check_fit(**settings, out_channels=2, source=source)
    with pytest.raises(
        InputError, match="out_channels: 1, but task classification has 2 for data set 'phantom' \\(round, lobed\\)"
    ):
        check_fit(**settings, out_channels=1, source=source)
