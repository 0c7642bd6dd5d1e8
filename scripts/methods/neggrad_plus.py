"""NegGrad+ (Kurmanji et al., arXiv 2302.09880): descent on retain images and ascent on forget images in one step."""

from __future__ import annotations

from scripts.methods.baseline import Baseline


class NegGradPlus(Baseline):
    """L = .95 L_supervised(retain) - .05 L_supervised(forget). The ascent has no bound."""

    name = "neggrad_plus"
    published = {"forget_objective": "negative", "forget_weight": 0.05, "retain_weight": 0.95}
