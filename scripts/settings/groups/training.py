"""Training of the teacher, of fold teachers and of retrained models."""

from scripts.settings.groups.data import AUGMENTATIONS
from scripts.settings.groups.limits import BATCHES, SEEDS, STEPS
from scripts.settings.setting import Kind, Setting

SETTINGS = (
    Setting(name="augment", kind=Kind.TEXT, default="phantom", words=AUGMENTATIONS,
            comment="Random transforms of training images."),
    Setting(name="fold_members", kind=Kind.WHOLE, default=1, least=1, limit=1_000, moves=False,
            comment="Teachers per fold, each with a seed of its own; their mean is the steadier target."),
    Setting(name="fold", kind=Kind.WHOLE, default=-1, least=-1,
            comment="Fold whose patients are left out. -1: none."),
    Setting(name="member", kind=Kind.WHOLE, default=0, least=0, limit=1_000, moves=False,
            comment="Number of this teacher among those of its fold."),
    Setting(name="as_model", kind=Kind.TEXT, default="", moves=False,
            comment="Weights of a model whose training images alone are taken, as references do. Empty: all."),
    Setting(name="seed", kind=Kind.WHOLE, default=0, least=0, limit=SEEDS,
            comment="Seed of initial weights, order, random transforms, dropout and random targets."),
    Setting(name="epochs", kind=Kind.WHOLE, default=30, least=1, limit=STEPS, comment="Number of epochs at most."),
    Setting(name="foreign_epochs", kind=Kind.WHOLE, default=None, least=1, limit=STEPS, optional=True,
            comment="Epochs of a foreign bundle's own training. null: as its config says."),
    Setting(name="batch_size", kind=Kind.WHOLE, default=16, least=1, limit=BATCHES, comment="Images per step."),
    Setting(name="learning_rate", kind=Kind.NUMBER, default=2.0e-3, above=0, limit=10,
            comment="Learning rate of AdamW."),
    Setting(name="weight_decay", kind=Kind.NUMBER, default=1.0e-2, least=0, comment="Weight decay of AdamW."),
    Setting(name="lr_schedule", kind=Kind.TEXT, default="cosine", words=("cosine", "constant"),
            comment="Course of the learning rate: to zero over all epochs, or constant."),
    Setting(name="training_loss", kind=Kind.TEXT, default="plain", words=("plain", "tversky", "ohem"),
            comment="Loss of training: the task's own, with a Tversky index, or of the hardest quarter."),
    Setting(name="feed_back", kind=Kind.NUMBER, default=0, least=0, most=1,
            comment="Share of an epoch whose places images take that were wrong in the last epoch. 0: none."),
    Setting(name="select", kind=Kind.TEXT, default="last", words=("last", "best"),
            comment="Weights that are kept: of the last epoch, as references need, or the best on the selection set."),
    Setting(name="patience", kind=Kind.WHOLE, default=0, least=0,
            comment="Validations without improvement before training ends. 0: it never ends early."),
    Setting(name="validate_every", kind=Kind.WHOLE, default=5, least=1, unit="epochs",
            comment="Distance between two looks at the selection set."),
    Setting(name="checkpoint_every", kind=Kind.WHOLE, default=5, least=1, unit="epochs", moves=False,
            comment="Distance between two states from which an interrupted training goes on."),
)  # fmt: skip
