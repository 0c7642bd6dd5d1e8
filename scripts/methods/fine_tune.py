"""Fine-tuning on the retain set, in the hope that what is not repeated fades."""

from __future__ import annotations

from scripts.methods.baseline import RetainOnly


class FineTune(RetainOnly):
    """L = L_supervised(retain); ten passes at 1e-2 (FT in SalUn's comparison, arXiv 2310.12508)."""

    name = "fine_tune"
