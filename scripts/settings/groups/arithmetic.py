"""Where and in which precision a network runs, and what is shown of it."""

from scripts.settings.setting import Kind, Setting

SETTINGS = (
    Setting(name="device", kind=Kind.TEXT, default="auto", moves=False,
            comment="Device: auto takes the first GPU, else the CPU; or cpu, cuda, cuda:N."),
    Setting(name="amp", kind=Kind.FLAG, default=False, words=("auto",),
            comment="Whether forward passes run in bf16; auto where the hardware has it."),
    Setting(name="distributed", kind=Kind.FLAG, default=False, moves=False,
            comment="Whether every batch is shared with the other processes that torchrun started."),
    Setting(name="channels_last", kind=Kind.FLAG, default=True, moves=False,
            comment="Whether tensors have the memory format that is faster for convolutions."),
    Setting(name="threads", kind=Kind.WHOLE, default=1, least=0, limit=1_024, moves=False,
            comment="CPU threads; a resumed run is bit-equal with the same number. 0: torch decides."),
    Setting(name="low_memory", kind=Kind.FLAG, default=False, moves=False,
            comment="Whether freed memory is given back after every step: a lower peak for more time."),
    Setting(name="progress", kind=Kind.FLAG, default=True, moves=False, comment="Whether progress is shown."),
)  # fmt: skip
