"""Methods side by side, and the search for their settings."""

from scripts.settings.groups.forgetting import METHODS
from scripts.settings.groups.limits import PAIRS, STEPS
from scripts.settings.setting import Kind, Setting

CONTENDERS = (*METHODS, "released", "hardened")
NOT_BY_DEFAULT = ("regun", "salun_cra")  # for classification alone
WITHOUT_TUNING = ("do_nothing", "retrain", "fold_teacher")

SETTINGS = (
    Setting(name="compare_methods", kind=Kind.NAMES, words=CONTENDERS, moves=False,
            default=[name for name in CONTENDERS if name not in NOT_BY_DEFAULT],
            comment="Rows of the comparison: methods, and Erase to Retain as released, and hardened."),
    Setting(name="compare_seeds", kind=Kind.WHOLE, default=1, least=1, limit=PAIRS, moves=False,
            comment="Students of each method, each with a seed of its own."),
    Setting(name="compare_retrained", kind=Kind.WHOLE, default=4, least=2, limit=PAIRS, moves=False,
            comment="Models without the request, with which each method is compared; from 3 on departures are told."),
    Setting(name="tune_methods", kind=Kind.NAMES, moves=False,
            words=tuple(name for name in METHODS if name not in WITHOUT_TUNING),
            default=[name for name in METHODS if name not in (*WITHOUT_TUNING, *NOT_BY_DEFAULT)],
            comment="Methods whose settings are tuned."),
    Setting(name="tune_trials", kind=Kind.WHOLE, default=10, least=1, limit=STEPS, moves=False,
            comment="Settings that are tried for each method, the first of them as published."),
)  # fmt: skip
