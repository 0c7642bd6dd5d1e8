"""Networks that a config brings along: their answer, and a line on what does not fit."""

from __future__ import annotations

import pytest
import torch
from monai.networks.nets import DenseNet121, DynUNet, SegResNetDS
from scripts.data import build_source
from scripts.engines.arithmetic import Arithmetic
from scripts.errors import InputError
from scripts.tasks.network_block import check_block
from torch import nn

BLANK = torch.zeros(2, 1, 32, 32)


def dynunet(outputs: int = 1, *, heads: int = 1) -> nn.Module:
    return DynUNet(
        2, 1, outputs, [3, 3, 3], [1, 2, 2], [2, 2], filters=[4, 8, 8], deep_supr_num=heads, deep_supervision=True
    )


def segresnet() -> nn.Module:
    return SegResNetDS(spatial_dims=2, init_filters=8, in_channels=1, out_channels=1, blocks_down=(1, 1, 1), dsdepth=2)


@pytest.mark.parametrize("made", [dynunet, segresnet])
def test_of_several_outputs_the_first_is_the_answer(made) -> None:
    network, image = made().train(), torch.rand(2, 1, 32, 32)
    whole = network(image)
    first = whole[:, 0] if torch.is_tensor(whole) else whole[0]
    placed = Arithmetic(device="cpu").place(Arithmetic(device="cpu").place(network))
    assert len(placed._forward_hooks) == 1
    assert torch.equal(placed(image), first) and first.shape == image.shape
    assert placed.eval()(image).shape == image.shape


def test_what_fits_passes_and_is_left_as_it_is() -> None:
    network = dynunet(3).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    check_block(network, BLANK, source=build_source("phantom", task="multiclass_segmentation"), training=True)
    assert not network.training and not network._forward_hooks
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    classifier = DenseNet121(spatial_dims=2, in_channels=1, out_channels=2)
    check_block(classifier, BLANK, source=build_source("phantom", task="classification"), training=False)


@pytest.mark.parametrize(
    ("network", "task", "words"),
    [
        (
            dynunet(2),
            "multiclass_segmentation",
            r"DynUNet answers \(2, 2, 32, 32\); task .* needs \(2, 3, 32, 32\) .*core, rim",
        ),
        (
            nn.Conv2d(3, 1, 1),
            "segmentation",
            r"Conv2d cannot take images of 32 x 32 pixels with 1 channels \(RuntimeError",
        ),
        (nn.Conv2d(1, 1, 2), "segmentation", r"answers \(2, 1, 31, 31\); task segmentation needs \(2, 1, 32, 32\)"),
        (nn.Flatten(), "classification", r"answers \(2, 1024\); task classification needs \(2, 2\)"),
    ],
)
def test_what_does_not_fit_is_one_line(network: nn.Module, task: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        check_block(network, BLANK, source=build_source("phantom", task=task), training=True)
    assert "\n" not in str(caught.value)
