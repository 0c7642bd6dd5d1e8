"""What a fixed part of the retain images keeps, by size and by how it is chosen, on the phantom.

make study STUDY=retain_subset
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.studies import common
from tests.studies.test_phantom import PAIRED, REQUEST, cohort, pool, slope

SEEDS = (1, 2)
SHARES = (0.1, 0.2, 0.5)
CHOICES = ("random", "stratified", "nearest")


@pytest.mark.study
@pytest.mark.parametrize("seed", SEEDS)
def test_retain_subset(seed: int) -> None:
    folder = common.WORK / "phantom" / f"seed{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    original = common.train(folder, "model", {**PAIRED, "seed": seed})
    retrained = common.train(folder, "retrained", {**PAIRED, "seed": seed, "request": str(REQUEST)})
    common.share_pool(pool(), folder)
    total = len(cohort().retain)
    beta = {"original": slope(original), "retrained": slope(retrained)}
    rows: list[dict[str, Any]] = []
    for share, choice in [(1.0, "random"), *((share, choice) for share in SHARES for choice in CHOICES)]:
        images = "all" if share == 1 else round(share * total)
        settings = {"model_dir": str(folder), "seed": seed, "surface": False, "overlays": 0}
        run = folder / f"retain_{round(100 * share)}_{choice}"
        metrics = common.unlearn(run, {**settings, "retain_images": images, "retain_choice": choice})
        dice = {name: common.means(metrics, name, "dice") for name in ("teacher", "student")}
        student = slope(run / "release" / "student.pt")
        rows.append(
            {
                "share": share,
                "choice": choice,
                "images": images,
                "ff_true": (beta["original"] - student) / (beta["original"] - beta["retrained"]),
                **{part: dice["student"][part] - dice["teacher"][part] for part in ("retain", "validation", "test")},
                "cpu_seconds": sum(metrics["cost"][phase]["cpu_seconds"] for phase in ("forget", "restore")),
            }
        )
        common.save(f"retain_subset/seed{seed}", {"seed": seed, "rows": rows})
    assert rows[0]["share"] == 1 and len(rows) == 1 + len(SHARES) * len(CHOICES)
