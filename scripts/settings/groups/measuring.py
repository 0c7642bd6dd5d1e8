"""What is measured of a student, and what a verdict asks."""

from scripts.settings.setting import Kind, Setting

# The registry is `scripts.attacks.recovery`; a list here costs no import of torch.
ATTEMPTS = ("fine_tuned_20", "fine_tuned_60", "fine_tuned_slow", "fine_tuned_fast", "fine_tuned_sgd",
            "int8", "int4", "pruned", "batch_norm", "new_head", "linear_probe",
            "relearned_5", "relearned_10", "relearned_20")  # fmt: skip

SETTINGS = (
    Setting(name="student_path", kind=Kind.TEXT, default="", moves=False,
            comment="Weights to evaluate. Empty: release/student.pt of the run."),
    Setting(name="retrained_path", kind=Kind.TEXT, default="", moves=False,
            comment="Weights of a model retrained without the forget set. Empty: none."),
    Setting(name="test_augment", kind=Kind.TEXT, default="none", words=("none", "flips"), moves=False,
            comment="Test-time augmentation of all models: mean probability over all flips of an image."),
    Setting(name="ensemble", kind=Kind.FLAG, default=False, moves=False,
            comment="Whether all fold teachers together, by their mean probability, are one model more."),
    Setting(name="surface", kind=Kind.FLAG, default=True, moves=False,
            comment="Whether HD95, NSD and lesions one by one are measured too; they take most of the time."),
    Setting(name="forget_views", kind=Kind.TEXT, default="all", moves=False,
            words=("all", "none", "flip_h", "flip_v", "jitter", "jpeg"),
            comment="Views in which the forget images are measured once more."),
    Setting(name="attacks", kind=Kind.NAMES, default=["fine_tuned_20", "fine_tuned_60"], words=ATTEMPTS, moves=False,
            comment="Attacks on copies of all models, after which the forget set is measured again. []: none."),
    Setting(name="overlays", kind=Kind.WHOLE, default=4, least=0, limit=1_000, moves=False,
            comment="Pictures drawn of the forget set and of each held-out set."),
)  # fmt: skip
