"""The teacher as it is: what every comparison begins with."""

from __future__ import annotations

from scripts.methods.baseline import WithoutSteps


class DoNothing(WithoutSteps):
    """theta = theta_T."""

    name = "do_nothing"
