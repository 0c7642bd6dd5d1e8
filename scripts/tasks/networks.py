"""The networks that a config may name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from scripts.errors import InputError
from scripts.tasks.blocks import NAMES, network_block
from scripts.tasks.registry import TASKS
from torch import nn

if TYPE_CHECKING:
    from scripts.data.source import DataSource


CLASSIFIERS = ("densenet121", "resnet18", "resnet34")  # one answer per image; the others answer per pixel


@dataclass(frozen=True)
class Sizes:
    """What image sizes a network takes, in pixels along an axis.

    Attributes:
        multiple: of which each length must be one.
        smallest: length that leaves a pixel on the coarsest level.
        single: up to this length on every axis the coarsest level has one pixel, of which BatchNorm in training needs
            at least two over the batch.
    """

    multiple: int = 1
    smallest: int = 1
    single: int = 0

    def refuse(self, length: int) -> str:
        """What is allowed, where `length` is not."""
        if length % self.multiple:
            return f"a multiple of {self.multiple}"
        return f"at least {self.smallest}" if length < self.smallest else ""


SIZES = {
    "unet_half": Sizes(smallest=16, single=31),
    "unet_small": Sizes(multiple=16, smallest=16, single=16),
    "flexible_unet_resnet34": Sizes(multiple=32, smallest=32, single=32),
    "densenet121": Sizes(smallest=29, single=60),
    "resnet18": Sizes(single=16),
    "resnet34": Sizes(single=16),
}


def check_fit(
    *,
    network_name: str,
    spatial_dims: int,
    in_channels: int,
    out_channels: int,
    image_size: int | Sequence[int],
    batch_size: int | None = None,
    source: DataSource | None = None,
    size_name: str = "image_size",
) -> None:
    """Refuse settings that a network or the data cannot take, before anything is built or read.

    Args:
        batch_size: of training; None where nothing is trained.
        size_name: the setting that gives `image_size`.
        source: whose channels, dimensions and classes are compared; None compares nothing with data.

    Raises:
        InputError: names the setting, its value and what is allowed.
    """
    _check_known(network_name)
    sizes = SIZES[network_name]
    for length in _lengths(image_size, spatial_dims):
        if allowed := sizes.refuse(length):
            raise InputError(f"{size_name}: {length} does not fit network_name {network_name}; allowed is {allowed}")
    if source is not None:
        able = [name for name in NAMES if (name in CLASSIFIERS) is not source.masks]
        if network_name not in able:
            raise InputError(
                f"network_name: {network_name} does not answer task {source.task}; allowed: {', '.join(able)}"
            )
        _check_source(source, spatial_dims=spatial_dims, in_channels=in_channels, out_channels=out_channels)
    if batch_size is not None:
        least = least_batch(network_name=network_name, spatial_dims=spatial_dims, image_size=image_size)
        if batch_size < least:
            raise InputError(
                f"batch_size: {batch_size} with image_size {image_size} leaves BatchNorm of {network_name} one value;"
                f" allowed are {least} and more, or an image_size above {sizes.single}"
            )


def least_batch(*, network_name: str, spatial_dims: int, image_size: int | Sequence[int]) -> int:
    """Images that a batch of training must hold: 2 where the coarsest level has a single pixel, else 1."""
    _check_known(network_name)
    return 2 if max(_lengths(image_size, spatial_dims)) <= SIZES[network_name].single else 1


def _lengths(image_size: int | Sequence[int], spatial_dims: int) -> tuple[int, ...]:
    lengths: tuple[int, ...] = ()
    if isinstance(image_size, int):
        lengths = (image_size,) * spatial_dims
    elif isinstance(image_size, Sequence) and not isinstance(image_size, str):
        lengths = tuple(image_size)
    if len(lengths) != spatial_dims or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in lengths):
        raise InputError(f"image_size: {image_size} is not one number of pixels, or {spatial_dims} of them")
    return lengths


def _check_source(source: DataSource, *, spatial_dims: int, in_channels: int, out_channels: int) -> None:
    if source.spatial_dims != spatial_dims:
        raise InputError(
            f"spatial_dims: {spatial_dims}, but the images of data set '{source.name}' have {source.spatial_dims}"
        )
    if source.channels != in_channels:
        raise InputError(f"in_channels: {in_channels}, but data set '{source.name}' is read with {source.channels}")
    wanted = TASKS[source.task]().outputs(len(source.classes))
    if out_channels != wanted:
        shown = ", ".join(source.classes[:6]) + (", ..." if len(source.classes) > 6 else "")
        raise InputError(
            f"out_channels: {out_channels}, but task {source.task} has {wanted} for data set '{source.name}' ({shown})"
        )


def _check_known(name: str) -> None:
    if name not in NAMES:
        near = difflib.get_close_matches(str(name), NAMES, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise InputError(f"network_name: '{name}' is not one of {', '.join(NAMES)}{hint}")


def build_network(
    *, name: str, spatial_dims: int, in_channels: int, out_channels: int, seed: int | None = None
) -> nn.Module:
    """An untrained network giving logits (N, out_channels, ...) for images (N, in_channels, ...).

    Args:
        seed: of the initial weights, whatever else drew from torch's generator; None takes that one.

    Raises:
        InputError: unknown `name`.
    """
    _check_known(name)
    shape = {"spatial_dims": spatial_dims, "in_channels": in_channels, "out_channels": out_channels}
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(int(seed))
        return _built(network_block(name, **shape))


def _built(block: Mapping[str, Any]) -> nn.Module:
    """The network of a block of ours, without the search by which MONAI finds a block's class."""
    from monai.networks import nets

    return getattr(nets, block["_target_"])(**{name: value for name, value in block.items() if name != "_target_"})
