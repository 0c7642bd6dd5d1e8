"""The networks that a config may name."""

from __future__ import annotations

import difflib
from collections.abc import Callable

import torch
from torch import nn

from scripts.errors import InputError


def _unet_half(spatial_dims: int, in_channels: int, out_channels: int) -> nn.Module:
    """U-Net of about half the width of `unet_small`, BatchNorm, 0.3 M parameters: half a minute on a CPU."""
    from monai.networks.nets import BasicUNet

    return BasicUNet(
        spatial_dims=spatial_dims,
        in_channels=in_channels,
        out_channels=out_channels,
        features=(8, 16, 32, 64, 64, 8),
        norm=("batch", {}),
        # With eight channels a plain ReLU now and then leaves too few that are alive.
        act=("leakyrelu", {"negative_slope": 0.1}),
    )


def _unet_small(spatial_dims: int, in_channels: int, out_channels: int) -> nn.Module:
    """Residual U-Net with transposed convolutions, five levels from 16 channels."""
    from monai.networks.nets import UNet

    return UNet(
        spatial_dims=spatial_dims,
        in_channels=in_channels,
        out_channels=out_channels,
        channels=(16, 32, 64, 128, 256),
        strides=(2, 2, 2, 2),
        num_res_units=2,
        norm="batch",
    )


def _flexible_unet_resnet34(spatial_dims: int, in_channels: int, out_channels: int) -> nn.Module:
    """The paper's U-Net with ResNet-34 encoder, from scratch (weights are never fetched)."""
    from monai.networks.nets import FlexibleUNet

    return FlexibleUNet(
        in_channels=in_channels,
        out_channels=out_channels,
        backbone="resnet34",
        pretrained=False,
        spatial_dims=spatial_dims,
    )


def _densenet121(spatial_dims: int, in_channels: int, out_channels: int) -> nn.Module:
    from monai.networks.nets import DenseNet121

    return DenseNet121(spatial_dims=spatial_dims, in_channels=in_channels, out_channels=out_channels)


def _resnet(depth: str) -> Callable[[int, int, int], nn.Module]:
    def build(spatial_dims: int, in_channels: int, out_channels: int) -> nn.Module:
        from monai.networks import nets

        return getattr(nets, depth)(
            spatial_dims=spatial_dims, n_input_channels=in_channels, num_classes=out_channels, pretrained=False
        )

    return build


NETWORKS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "unet_half": _unet_half,
    "unet_small": _unet_small,
    "flexible_unet_resnet34": _flexible_unet_resnet34,
    "densenet121": _densenet121,
    "resnet18": _resnet("resnet18"),
    "resnet34": _resnet("resnet34"),
}


def build_network(
    *, name: str, spatial_dims: int, in_channels: int, out_channels: int, seed: int | None = None
) -> nn.Module:
    """An untrained network giving logits (N, out_channels, ...) for images (N, in_channels, ...).

    Args:
        seed: of the initial weights, whatever else drew from torch's generator; None takes that one.

    Raises:
        InputError: unknown `name`.
    """
    if name not in NETWORKS:
        near = difflib.get_close_matches(name, NETWORKS, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise InputError(f"network_name: '{name}' is not one of {', '.join(NETWORKS)}{hint}")
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(int(seed))
        return NETWORKS[name](int(spatial_dims), int(in_channels), int(out_channels))
