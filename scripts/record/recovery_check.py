"""Whether what was forgotten stays forgotten under the whole family of attacks."""

from __future__ import annotations

from collections.abc import Mapping

from scripts.settings import SETTINGS
from scripts.settings.groups.references import ATTACKS
from scripts.verify.check import Check
from scripts.verify.contrasts import MARGIN
from scripts.verify.recovery import Recovery

STEPS = int(SETTINGS["recovery_steps"].default)  # of the attacks that train, at least


def recovery_check(found: Mapping[str, Recovery], *, steps: int) -> Check:
    """Met where under each attack of the family less than the margin is shown to come back.

    Args:
        steps: of the attacks that train.
    """
    missing = [name for name in ATTACKS if name not in found]
    if missing or steps < STEPS:
        lacking = [f"{', '.join(missing)} not tried"] if missing else []
        lacking += [f"{steps} steps of {STEPS}"] if steps < STEPS else []
        return Check("recovery", None, f"{'; '.join(lacking)}: a PASS needs the whole family; leave the defaults")
    told = ", ".join(f"{name} {one.fraction:+.2f} ({_bound(one)})" for name, one in found.items())
    met = all(one.met() for one in found.values())
    return Check("recovery", met, f"part of the gap that is there after, and at most: {told}; allowed {MARGIN:g}")


def _bound(one: Recovery) -> str:
    return "no bound" if one.bound is None else f"{one.bound:+.2f}"
