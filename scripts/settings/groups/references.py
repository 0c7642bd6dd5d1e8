"""Retrained models that a verdict compares with, attacks on them, and the study of the verifier."""

from scripts.settings.groups.limits import PAIRS, SEEDS, STEPS
from scripts.settings.setting import Kind, Setting

ATTACKS = ("int8", "int4", "pruned", "batch_norm", "fine_tuned", "new_head", "linear_probe")
CONTROLS = ("true retrain", "original", "half", "over", "background", "duplicated", "ours")

SETTINGS = (
    Setting(name="reference_dir", kind=Kind.TEXT, default="$@bundle_root + '/eval/references'", moves=False,
            comment="Folder of the reference models. They were trained on patients' data: keep it as private."),
    Setting(name="reference_pairs", kind=Kind.WHOLE, default=0, least=0, limit=PAIRS, moves=False,
            comment="Pairs of original and retrained model, at least 4. 0: a pilot plans them for a power of 0.8."),
    Setting(name="reference_pilot", kind=Kind.WHOLE, default=4, least=4, limit=PAIRS, moves=False,
            comment="Number of pairs of the pilot."),
    Setting(name="reference_budget", kind=Kind.WHOLE, default=12, least=1, limit=PAIRS, moves=False,
            comment="Number of pairs at most."),
    Setting(name="reference_minutes", kind=Kind.NUMBER, default=0, least=0, unit="minutes", moves=False,
            comment="Wall time at most that the plan may ask for. 0: no limit."),
    Setting(name="reference_seed", kind=Kind.WHOLE, default=1000, least=0, limit=SEEDS, moves=False,
            comment="Seed of the first pair; it must differ from those of teacher and fold teachers."),
    Setting(name="evidence", kind=Kind.TEXT, default="auto", words=("auto", "amortised", "paired"), moves=False,
            comment="References of this request where they are scored, else mock requests; or one of them alone."),
    Setting(name="reference_workers", kind=Kind.WHOLE, default=1, least=1, limit=1_024, moves=False,
            comment="Number of models made side by side."),
    Setting(name="reference_backend", kind=Kind.TEXT, default="local", words=("local", "ray"), moves=False,
            comment="Where models are made; ray spans several machines that share the folders."),
    Setting(name="recovery", kind=Kind.NAMES, default=list(ATTACKS), words=ATTACKS, moves=False,
            comment="Attacks on every unlearned and retrained model; without them there is no PASS."),
    Setting(name="recovery_steps", kind=Kind.WHOLE, default=20, least=1, limit=STEPS, moves=False,
            comment="Steps of the attacks that train, 8 of 64 retain images each."),
    Setting(name="relearning_steps", kind=Kind.WHOLE, default=20, least=0, limit=STEPS, moves=False,
            comment="Steps of relearning the forget images. 0: it is not tried."),
    Setting(name="reference_surface", kind=Kind.FLAG, default=False, moves=False,
            comment="Whether HD95 and NSD of every model are measured, which takes long."),
    Setting(name="study_pairs", kind=Kind.WHOLE, default=8, least=4, limit=PAIRS, moves=False,
            comment="Number of pairs in a block of the study."),
    Setting(name="study_blocks", kind=Kind.WHOLE, default=1, least=1, limit=PAIRS, moves=False,
            comment="Number of blocks that share no pair."),
    Setting(name="study_controls", kind=Kind.NAMES, default=list(CONTROLS), words=CONTROLS, moves=False,
            comment="Models of known truth that are judged."),
)  # fmt: skip
