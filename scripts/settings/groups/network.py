"""The network."""

from scripts.settings.setting import Kind, Setting

SETTINGS = (
    Setting(name="network_name", kind=Kind.TEXT, default="unet_half", shared=True,
            words=("unet_half", "unet_small", "flexible_unet_resnet34", "densenet121", "resnet18", "resnet34"),
            comment="Network, short for the block network_def."),
    Setting(name="spatial_dims", kind=Kind.WHOLE, default=2, least=2, most=3, shared=True,
            comment="Number of spatial axes."),
    Setting(name="in_channels", kind=Kind.WHOLE, default=1, least=1, limit=1_024, shared=True,
            comment="Image channels: 1 takes images as grey, 3 as colour."),
    Setting(name="out_channels", kind=Kind.WHOLE, default=1, least=1, limit=10_000, shared=True,
            comment="1 for segmentation; structures and background, structures, or classes for the other tasks."),
)  # fmt: skip
