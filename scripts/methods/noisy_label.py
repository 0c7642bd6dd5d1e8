"""Noisy labels on the forget set: the kind of error that another rater makes; true ones on the retain set."""

from __future__ import annotations

from scripts.methods.random_label import RandomLabelMethod


class NoisyLabelMethod(RandomLabelMethod):
    """L = L(forget, noisy label) + L_supervised(retain); an image's label is drawn once.

    After the noisy-label loss of Erase to Enhance (arXiv 2405.15517), whose noise is Gaussian, on intensities.
    """

    name = "noisy_label"
    published = {"forget_objective": "noisy_label"}
