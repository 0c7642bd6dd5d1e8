"""Layers that PEFT lacks or gets wrong: adapter and merged weight must be one function."""

from __future__ import annotations

import pytest
import torch
from scripts.errors import InputError
from scripts.student.adapted import ADAPTER
from scripts.student.transposed import delta_weight, register
from torch import nn


def adapted(base: nn.Module, rank: int = 3):
    from peft import LoraConfig, inject_adapter_in_model

    network = nn.Sequential(base)
    config = register(LoraConfig(r=rank, lora_alpha=6, target_modules="0"))
    layer = inject_adapter_in_model(config, network, adapter_name=ADAPTER)[0]
    assert torch.count_nonzero(layer.lora_B[ADAPTER].weight) == 0
    assert torch.count_nonzero(layer.lora_A[ADAPTER].weight) > 0
    nn.init.normal_(layer.lora_B[ADAPTER].weight)
    return layer


LAYERS = {
    "transposed": (nn.ConvTranspose2d(4, 5, 2, stride=2), (2, 4, 6, 7)),
    "transposed-odd": (nn.ConvTranspose2d(4, 5, 3, stride=2, padding=1, output_padding=1), (2, 4, 6, 7)),
    "transposed-dilated": (nn.ConvTranspose2d(4, 5, 3, stride=3, padding=2, dilation=2, bias=False), (2, 4, 6, 7)),
    "transposed-3d": (nn.ConvTranspose3d(4, 5, 3, stride=(1, 2, 2), padding=1, output_padding=(0, 1, 1)),
                      (1, 4, 3, 4, 5)),
    "conv-dilated": (nn.Conv2d(4, 5, 3, padding=2, dilation=2), (2, 4, 9, 8)),
    "conv-reflect": (nn.Conv2d(4, 5, 3, padding=1, padding_mode="reflect"), (2, 4, 9, 8)),
    "conv-same": (nn.Conv2d(4, 5, 3, padding="same", dilation=2), (2, 4, 9, 8)),
    "conv-strided": (nn.Conv2d(4, 5, (3, 5), stride=(2, 1), padding=(1, 2)), (2, 4, 9, 8)),
    "conv-1x1": (nn.Conv2d(4, 5, 1), (2, 4, 9, 8)),
    "conv-3d": (nn.Conv3d(4, 5, 3, stride=2, padding=1), (1, 4, 6, 5, 4)),
    "conv-3d-1x1x1": (nn.Conv3d(4, 5, 1), (1, 4, 6, 5, 4)),
    "conv-3d-circular": (nn.Conv3d(4, 5, 3, padding=1, padding_mode="circular"), (1, 4, 6, 5, 4)),
    "conv-3d-1x1xk": (nn.Conv3d(4, 5, (1, 1, 3)), (1, 4, 6, 5, 4)),
    "linear": (nn.Linear(4, 5), (2, 4)),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_adapter_equals_merged_weight(name):
    base, shape = LAYERS[name]
    torch.manual_seed(0)
    layer, image = adapted(base).double(), torch.randn(shape, dtype=torch.float64)
    expected, plain = layer(image), base.double()(image)
    assert expected.shape == plain.shape and not torch.allclose(expected, plain)
    weight = base.weight.detach() + delta_weight(layer)
    torch.testing.assert_close(torch.func.functional_call(base, {"weight": weight}, image), expected)
    # PEFT's own verbs agree.
    layer.merge()
    torch.testing.assert_close(layer(image), expected)
    layer.unmerge()
    torch.testing.assert_close(layer(image), expected)
    base.float()


@pytest.mark.parametrize("name", [name for name in LAYERS if name != "linear"])
def test_one_convolution_stands_for_three(name):
    """W + BA in one pass, and W, A and B one after the other: the same output and gradients."""
    base, shape = LAYERS[name]
    torch.manual_seed(0)
    layer, image = adapted(base).double(), torch.randn(shape, dtype=torch.float64, requires_grad=True)
    parts = [image, layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight]

    def run():
        output = layer(image)
        return output, torch.autograd.grad(output.square().sum(), parts)

    passes = []
    hook = layer.lora_A[ADAPTER].register_forward_hook(lambda *_: passes.append(1))
    composed = run()
    assert not passes
    # A dropout that is drawn needs A's own pass; this one never drops anything.
    layer.lora_dropout[ADAPTER] = nn.Dropout(1e-12).train()
    apart = run()
    assert passes
    hook.remove()
    torch.testing.assert_close(composed, apart)
    layer.lora_dropout[ADAPTER].eval()
    torch.testing.assert_close(run(), composed)
    base.float()


def test_a_starts_as_wide_as_that_of_a_convolution_would():
    layer = adapted(nn.ConvTranspose2d(256, 8, 2, stride=2), rank=8)
    bound = 1 / 256**0.5  # four kernel cells over a stride of four: every output pixel sees 256 inputs
    assert 0.9 * bound < layer.lora_A[ADAPTER].weight.abs().max() <= bound


@pytest.mark.parametrize("base", [nn.Conv2d(4, 4, 3, groups=2), nn.ConvTranspose2d(4, 4, 3, groups=2)])
def test_groups_are_refused(base):
    with pytest.raises(InputError, match="groups=2"):
        adapted(base, rank=4)


def test_rank_below_one_is_refused():
    with pytest.raises(ValueError):
        adapted(nn.ConvTranspose2d(4, 4, 3), rank=0)
