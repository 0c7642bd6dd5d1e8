"""A linear head on the embeddings of a frozen encoder."""

from scripts.settings.setting import Kind, Setting

SETTINGS = (
    Setting(name="encoder", kind=Kind.TEXT, default="",
            comment="Weights of the classifier whose last layer is left off; network_name is its network."),
    Setting(name="ridge", kind=Kind.NUMBER, default=1.0, above=0, limit=1e9,
            comment="Penalty on the head's weights: (X'X + ridge I)^-1 X'Y."),
)  # fmt: skip
