"""Scopes on the networks that the configs can name."""

from __future__ import annotations

import pytest
import torch
from monai.networks.nets import BasicUNet, DenseNet121, FlexibleUNet, SegResNet, UNet, resnet18
from scripts.errors import InputError
from scripts.student.scope import ADAPTABLE, head_name, resolve_scope, trace
from torch import nn

UNET = {"channels": (4, 8, 16), "strides": (2, 2)}
FLEXIBLE = {"decoder_channels": (16, 8, 8, 4, 4)}

# network, image, first and last of decoder+head, number of them, of all
CASES = {
    "unet-0": (lambda: UNet(2, 1, 1, num_res_units=0, **UNET), (1, 1, 32, 32),
               "model.1.submodule.2.conv", "model.2.conv", 2, 5),
    "unet-2": (lambda: UNet(2, 1, 1, num_res_units=2, **UNET), (1, 1, 32, 32),
               "model.1.submodule.2.0.conv", "model.2.1.conv.unit0.conv", 4, 13),
    "unet-3d": (lambda: UNet(3, 1, 1, num_res_units=0, **UNET), (1, 1, 16, 16, 16),
                "model.1.submodule.2.conv", "model.2.conv", 2, 5),
    "basic": (lambda: BasicUNet(2, 1, 1, (4, 4, 8, 8, 8, 4)), (1, 1, 32, 32),
              "upcat_4.upsample.deconv", "final_conv", 13, 23),
    "basic-3d": (lambda: BasicUNet(3, 1, 1, (2, 2, 2, 2, 2, 2)), (1, 1, 32, 32, 32),
                 "upcat_4.upsample.deconv", "final_conv", 13, 23),
    "segresnet": (lambda: SegResNet(2, 8, 1, 1), (1, 1, 32, 32),
                  "up_layers.0.0.conv1.conv", "conv_final.2.conv", 9, 32),
    "segresnet-3d": (lambda: SegResNet(3, 8, 1, 1), (1, 1, 16, 16, 16),
                     "up_layers.0.0.conv1.conv", "conv_final.2.conv", 9, 32),
    "flexible": (lambda: FlexibleUNet(3, 1, "resnet34", **FLEXIBLE), (1, 3, 64, 64),
                 "decoder.blocks.0.convs.conv_0.conv", "segmentation_head.0", 14, 48),
    "densenet": (lambda: DenseNet121(2, 3, 3), (1, 3, 64, 64),
                 "features.denseblock4.denselayer1.layers.conv1", "class_layers.out", 33, 121),
    "resnet": (lambda: resnet18(spatial_dims=2, n_input_channels=3, num_classes=3), (1, 3, 64, 64),
               "layer4.0.conv1", "fc", 6, 21),
    "resnet-3d": (lambda: resnet18(spatial_dims=3, n_input_channels=1, num_classes=2, widen_factor=0.1),
                  (1, 1, 64, 64, 64), "layer4.0.conv1", "fc", 6, 21),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_scopes_by_shape(case):
    make, shape, first, last, decoder, total = CASES[case]
    network, sample = make(), torch.randn(shape)
    every, part, head = (resolve_scope(network, scope, sample) for scope in ("all", "decoder+head", "head"))
    assert (part[0], part[-1], len(part), len(every)) == (first, last, decoder, total)
    assert head == [last] == [head_name(network, sample)]
    assert every[-decoder:] == part or set(part) <= set(every)
    leaves = dict(network.named_modules())
    assert all(type(leaves[name]) in ADAPTABLE and not any(leaves[name].children()) for name in every)


def test_all_reaches_every_convolution():
    network = UNet(2, 1, 1, num_res_units=2, **UNET)
    expected = {name for name, module in network.named_modules() if isinstance(module, ADAPTABLE)}
    assert set(resolve_scope(network, "all", torch.randn(1, 1, 32, 32))) == expected


def test_regex_is_searched_in_leaf_names_only():
    network, sample = UNet(2, 1, 1, num_res_units=0, **UNET), torch.randn(1, 1, 32, 32)
    assert resolve_scope(network, "conv$", sample) == resolve_scope(network, "all", sample)
    assert resolve_scope(network, r"^model\.0\.", sample) == ["model.0.conv"]


@pytest.mark.parametrize("scope", ["decodr+head", "nothing_like_it", "(unclosed", ""])
def test_a_scope_that_says_nothing_is_named(scope):
    network, sample = UNet(2, 1, 1, num_res_units=0, **UNET), torch.randn(1, 1, 32, 32)
    with pytest.raises(InputError, match="scope"):
        resolve_scope(network, scope, sample)


def test_modes_and_hooks_are_left_as_found():
    network, sample = UNet(2, 1, 1, num_res_units=0, dropout=0.3, norm="batch", **UNET), torch.randn(2, 1, 32, 32)
    network.train()
    network.model[0].eval()
    modes = {name: module.training for name, module in network.named_modules()}
    buffers = {name: value.clone() for name, value in network.named_buffers()}
    resolve_scope(network, "all", sample)
    assert {name: module.training for name, module in network.named_modules()} == modes
    assert all(torch.equal(buffers[name], value) for name, value in network.named_buffers())
    assert not any(module._forward_hooks for module in network.modules())


class Odd(nn.Module):
    """Grouped, tied, squeezing and never executed layers in one."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.grouped = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.tied = nn.Conv2d(4, 4, 1)
        self.twin = nn.Conv2d(4, 4, 1)
        self.twin.weight = self.tied.weight
        self.again = self.aliased = nn.Conv2d(4, 4, 1)
        self.squeeze = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 4, 1), nn.Sigmoid())
        self.unused = nn.Linear(3, 3)
        self.up = nn.ConvTranspose2d(4, 2, 2, stride=2)
        self.head = nn.Conv2d(2, 1, 1)

    def forward(self, x):
        x = self.aliased(self.twin(self.tied(self.grouped(self.down(x)))))
        return self.head(self.up(x * self.squeeze(x)))


def test_what_cannot_be_merged_is_left_out():
    names = resolve_scope(Odd(), "all", torch.randn(1, 1, 16, 16))
    assert names == ["down", "squeeze.1", "up", "head"]
    assert resolve_scope(Odd(), "decoder+head", torch.randn(1, 1, 16, 16)) == ["squeeze.1", "up", "head"]
    with pytest.raises(InputError, match="matches no module"):
        resolve_scope(Odd(), "grouped|tied|unused", torch.randn(1, 1, 16, 16))


def test_networks_without_the_shape_asked_for():
    flat = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 1, 1))
    with pytest.raises(InputError, match="nothing runs after"):
        resolve_scope(flat, "decoder+head", torch.randn(1, 1, 8, 8))
    with pytest.raises(InputError, match="no convolution"):
        resolve_scope(nn.Sequential(nn.ReLU()), "all", torch.randn(1, 1, 8, 8))
    with pytest.raises(InputError, match="no convolution"):
        head_name(nn.Sequential(nn.ReLU()), torch.randn(1, 1, 8, 8))

    class Two(nn.Module):
        def forward(self, x):
            return x, x

    with pytest.raises(InputError, match="tuple"):
        trace(Two(), torch.randn(1, 1, 8, 8))
