"""LoRA layers that PEFT lacks or gets wrong: the one file that touches PEFT's private parts (peft 0.21).

PEFT has no layer for transposed convolutions, of which some MONAI decoders consist entirely. Its Conv2d/Conv3d layer
forgets `dilation` and `padding_mode` (its A has neither: another function than the one that is merged) and cannot
merge a 1x1x1 Conv3d (it squeezes two of three axes). With groups > 1 it refuses to merge. Here: own transposed layers;
convolutions whose A repeats dilation and padding mode, with a merge for any kernel; groups > 1 is refused.

A configuration forgets its registered layers when it is saved: `register` it again after loading.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from peft import LoraConfig
from peft.tuners.lora.layer import Conv2d as PeftConv2d
from peft.tuners.lora.layer import Conv3d as PeftConv3d
from peft.tuners.lora.layer import LoraLayer, _ConvNd
from scripts.errors import InputError
from torch import nn
from torch.nn import functional


def _refuse_groups(base: nn.Module) -> None:
    if getattr(base, "groups", 1) != 1:
        raise InputError(f"a LoRA layer on {type(base).__name__} with groups={base.groups} cannot be merged")


class _Composed:
    """Runs one convolution with the weight W + (alpha/r) * scale * B A in place of three: W, A and B.

    The same function, at the cost in time and memory of the base layer alone. Only a dropout between the input and A
    needs A's own pass.
    """

    convolve: Callable[..., torch.Tensor]

    def forward(self, x: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        adapter = self.active_adapters[0]
        dropout = self.lora_dropout[adapter]
        if self.disable_adapters or self.merged or (isinstance(dropout, nn.Dropout) and dropout.training):
            return super().forward(x, *args, **kwargs)
        base = self.get_base_layer()
        delta = product(self.lora_A[adapter].weight, self.lora_B[adapter].weight, transposed=_is_transposed(base))
        return self.convolve(base, x, base.weight + delta.to(base.weight.dtype) * self.scaling[adapter])


class _Faithful(_Composed):
    """Rebuilds A with every argument of the base convolution, and merges without regard to the kernel's size."""

    @staticmethod
    def convolve(base: nn.Module, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return base._conv_forward(x, weight, base.bias)

    def update_layer(self, adapter_name: str, r: int, lora_alpha: int, config: LoraConfig, **kwargs) -> None:
        base = self.get_base_layer()
        _refuse_groups(base)
        super().update_layer(adapter_name, r, lora_alpha=lora_alpha, config=config, **kwargs)
        drawn = self.lora_A[adapter_name].weight
        rebuilt = nn.utils.skip_init(
            type(base),
            base.in_channels,
            r,
            base.kernel_size,
            stride=base.stride,
            padding=base.padding,
            dilation=base.dilation,
            padding_mode=base.padding_mode,
            bias=False,
            device=drawn.device,
            dtype=drawn.dtype,
        )
        rebuilt.weight = drawn
        self.lora_A[adapter_name] = rebuilt

    def get_delta_weight(self, adapter: str) -> torch.Tensor:
        return delta_weight(self, adapter).to(self.lora_A[adapter].weight.dtype)


class FaithfulConv2d(_Faithful, PeftConv2d):
    """LoRA on Conv2d with dilation and padding mode."""


class FaithfulConv3d(_Faithful, PeftConv3d):
    """LoRA on Conv3d with dilation and padding mode."""


class _TransposedNd(_Composed, _ConvNd):
    """LoRA on a transposed convolution: y = base(x) + (alpha/r) * B(A(dropout(x))).

    A is a transposed convolution in -> r with the base's kernel, stride, padding, output padding and dilation,
    B a 1x1 convolution r -> out that starts at zero; neither has a bias.
    """

    pointwise: type[nn.Module]
    transposed: Callable[..., torch.Tensor]

    def convolve(self, base: nn.Module, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return type(self).transposed(
            x, weight, base.bias, base.stride, base.padding, base.output_padding, base.groups, base.dilation
        )

    def _get_in_out_features(self, module: nn.Module) -> tuple[int, int]:
        return module.in_channels, module.out_channels

    def update_layer(self, adapter_name: str, r: int, lora_alpha: int, config: LoraConfig, **kwargs) -> None:
        if r <= 0:
            raise ValueError(f"r must be positive, got {r}")
        base = self.get_base_layer()
        _refuse_groups(base)
        self.r[adapter_name] = r
        self.lora_alpha[adapter_name] = lora_alpha
        self.scaling[adapter_name] = lora_alpha / r
        self.use_rslora[adapter_name] = self.use_dora[adapter_name] = self.lora_bias[adapter_name] = False
        self.lora_dropout[adapter_name] = nn.Dropout(config.lora_dropout) if config.lora_dropout > 0 else nn.Identity()
        self.lora_A[adapter_name] = type(base)(
            base.in_channels,
            r,
            base.kernel_size,
            stride=base.stride,
            padding=base.padding,
            output_padding=base.output_padding,
            dilation=base.dilation,
            bias=False,
        )
        self.lora_B[adapter_name] = self.pointwise(r, base.out_channels, 1, bias=False)
        # Bound 1/sqrt(fan in), as PEFT's convolutions have it; torch would take `r` for the inputs of a transposed one.
        reach = math.prod(base.kernel_size) / math.prod(base.stride)
        bound = 1.0 / math.sqrt(base.in_channels * max(reach, 1.0))
        nn.init.uniform_(self.lora_A[adapter_name].weight, -bound, bound)
        nn.init.zeros_(self.lora_B[adapter_name].weight)
        self._move_adapter_to_device_of_base_layer(adapter_name)
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

    def get_delta_weight(self, adapter: str) -> torch.Tensor:
        return delta_weight(self, adapter).to(self.lora_A[adapter].weight.dtype)


class TransposedConv2d(_TransposedNd):
    """LoRA on ConvTranspose2d."""

    pointwise = nn.Conv2d
    transposed = staticmethod(functional.conv_transpose2d)


class TransposedConv3d(_TransposedNd):
    """LoRA on ConvTranspose3d."""

    pointwise = nn.Conv3d
    transposed = staticmethod(functional.conv_transpose3d)


def register(config: LoraConfig) -> LoraConfig:
    """Tell `config` which layers to use for convolutions; needed again after loading it. Returns it."""
    config._register_custom_module(
        {
            nn.ConvTranspose2d: TransposedConv2d,
            nn.ConvTranspose3d: TransposedConv3d,
            nn.Conv2d: FaithfulConv2d,
            nn.Conv3d: FaithfulConv3d,
        }
    )
    return config


def delta_weight(layer: LoraLayer, adapter: str = "default") -> torch.Tensor:
    """What merging adds to the base weight, (alpha/r) * scale * B A, in float64 so that only one rounding is made."""
    a, b = layer.lora_A[adapter].weight.double(), layer.lora_B[adapter].weight.double()
    return product(a, b, transposed=_is_transposed(layer.get_base_layer())) * layer.scaling[adapter]


def product(a: torch.Tensor, b: torch.Tensor, *, transposed: bool) -> torch.Tensor:
    """B A in the shape of the base weight: (out, in, ...), transposed convolutions (in, out, ...)."""
    rows = b.flatten(1)
    if transposed:
        return torch.einsum("or,ir...->io...", rows, a)
    return torch.einsum("or,ri...->oi...", rows, a)


def _is_transposed(base: nn.Module) -> bool:
    return isinstance(base, (nn.ConvTranspose2d, nn.ConvTranspose3d))
