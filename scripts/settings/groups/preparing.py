"""What is made once a teacher, before any request."""

from scripts.settings.setting import Kind, Setting

SETTINGS = (
    Setting(name="prepare_minutes", kind=Kind.NUMBER, default=0, least=0, unit="minutes", moves=False,
            comment="Wall time at most for trying recipes; what is found by then is ranked. 0: no limit."),
    Setting(name="calibration_requests", kind=Kind.WHOLE, default=2, least=1, moves=False,
            comment="Mock requests on which recipes are tried, each of patients of another fold."),
    Setting(name="mock_requests", kind=Kind.WHOLE, default=36, least=0, limit=1_024, moves=False,
            comment="Mock requests by which the procedure is qualified, at least 16. 0: it is not."),
    Setting(name="mock_patients", kind=Kind.WHOLE, default=1, least=1, limit=64, moves=False,
            comment="Patients of a mock request: it speaks for requests of as many."),
    Setting(name="mock_folds", kind=Kind.TEXT, default="one", words=("one", "several"), moves=False,
            comment="Where a mock request's patients are, as those of the requests for which it speaks."),
    Setting(name="measure_members", kind=Kind.WHOLE, default=3, least=2, limit=64, moves=False,
            comment="Models of each fold, with seeds of their own, by which mock requests are measured."),
    Setting(name="recalibrate", kind=Kind.FLAG, default=False, moves=False,
            comment="Whether a recipe that is there is found anew."),
    Setting(name="renew_by", kind=Kind.TEXT, default="unlearn", words=("unlearn", "retrain", "none"), moves=False,
            comment="How models of the pool that know somebody who is gone are renewed; none: they are only listed."),
)  # fmt: skip
