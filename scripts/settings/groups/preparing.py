"""What is made once a teacher, before any request."""

from scripts.settings.setting import Kind, Setting

SETTINGS = (
    Setting(name="prepare_minutes", kind=Kind.NUMBER, default=0, least=0, unit="minutes", moves=False,
            comment="Wall time at most for trying recipes; what is found by then is ranked. 0: no limit."),
    Setting(name="calibration_requests", kind=Kind.WHOLE, default=2, least=1, moves=False,
            comment="Mock requests on which recipes are tried, each of patients of another fold."),
    Setting(name="recalibrate", kind=Kind.FLAG, default=False, moves=False,
            comment="Whether a recipe that is there is found anew."),
)  # fmt: skip
