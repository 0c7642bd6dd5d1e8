"""The MONAI blocks for which `network_name` is short: plain values, so that others can build the same network."""

from __future__ import annotations

from typing import Any


def _unet_half(spatial_dims: int, in_channels: int, out_channels: int) -> dict[str, Any]:
    """U-Net of about half the width of `unet_small`, BatchNorm, 0.3 M parameters: half a minute on a CPU."""
    return {
        "_target_": "BasicUNet",
        "spatial_dims": spatial_dims,
        "in_channels": in_channels,
        "out_channels": out_channels,
        "features": [8, 16, 32, 64, 64, 8],
        "norm": ["batch", {}],
        # With eight channels a plain ReLU now and then leaves too few that are alive.
        "act": ["leakyrelu", {"negative_slope": 0.1}],
    }


def _unet_small(spatial_dims: int, in_channels: int, out_channels: int) -> dict[str, Any]:
    """Residual U-Net with transposed convolutions, five levels from 16 channels."""
    return {
        "_target_": "UNet",
        "spatial_dims": spatial_dims,
        "in_channels": in_channels,
        "out_channels": out_channels,
        "channels": [16, 32, 64, 128, 256],
        "strides": [2, 2, 2, 2],
        "num_res_units": 2,
        "norm": "batch",
    }


def _flexible_unet_resnet34(spatial_dims: int, in_channels: int, out_channels: int) -> dict[str, Any]:
    """The paper's U-Net with ResNet-34 encoder, from scratch (weights are never fetched)."""
    return {
        "_target_": "FlexibleUNet",
        "in_channels": in_channels,
        "out_channels": out_channels,
        "backbone": "resnet34",
        "pretrained": False,
        "spatial_dims": spatial_dims,
    }


def _densenet121(spatial_dims: int, in_channels: int, out_channels: int) -> dict[str, Any]:
    return {
        "_target_": "DenseNet121",
        "spatial_dims": spatial_dims,
        "in_channels": in_channels,
        "out_channels": out_channels,
    }


def _resnet(target: str, spatial_dims: int, in_channels: int, out_channels: int) -> dict[str, Any]:
    return {
        "_target_": target,
        "spatial_dims": spatial_dims,
        "n_input_channels": in_channels,
        "num_classes": out_channels,
        "pretrained": False,
    }


NAMES = ("unet_half", "unet_small", "flexible_unet_resnet34", "densenet121", "resnet18", "resnet34")


def network_block(name: str, *, spatial_dims: int, in_channels: int, out_channels: int) -> dict[str, Any]:
    """The block of the network called `name`, one of `NAMES`, for images (N, in_channels, ...)."""
    shape = (int(spatial_dims), int(in_channels), int(out_channels))
    if name.startswith("resnet"):
        return _resnet(name, *shape)
    return {
        "unet_half": _unet_half,
        "unet_small": _unet_small,
        "flexible_unet_resnet34": _flexible_unet_resnet34,
        "densenet121": _densenet121,
    }[name](*shape)
