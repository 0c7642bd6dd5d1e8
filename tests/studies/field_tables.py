"""Tables of what was measured of the field's methods, beside those of `tests.studies.tables`."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from scripts.comparison.row import Row
from scripts.comparison.table import markdown
from tests.studies.common import RESULTS, read


def cells(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *rows))


def several(values: Sequence[float | None], *, places: int = 3, sign: str = "") -> str:
    """Mean and, of several, standard deviation in brackets; a dash for what was not measured."""
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    text = f"{statistics.fmean(known):{sign}.{places}f}"
    return f"{text} ({statistics.stdev(known):.{places}f})" if len(known) > 1 else text


def methods() -> str:
    """The comparisons as `run compare` prints them, FF_true beside where the truth is known."""
    parts = []
    for path in sorted((RESULTS / "methods").glob("*.json")):
        found = read(path)
        rows = [_row(one) for one in found["rows"]]
        parts.append(f"{path.stem}\n\n{markdown(rows, metric=found['metric'])}")
        true = [[one["name"], several(one["ff_true"], places=2)] for one in found["rows"] if one.get("ff_true")]
        if true:
            parts.append(cells(["method", "FF_true"], true))
    return "\n\n".join(parts)


def _row(one: Mapping[str, Any]) -> Row:
    return Row(one["name"], values=one["values"], failed=one["failed"], tuning=one["tuning_cpu_seconds"])


def reconstruction() -> str:
    """PSNR and SSIM of both anatomies, and of the measured slice."""
    found = [read(path) for path in sorted((RESULTS / "reconstruction").glob("seed*.json"))]
    if not found:
        return ""
    rows = []
    for model in found[0]:
        if model != "measured slice":
            values = [
                several([one[model][anatomy][key] for one in found], places=places)
                for anatomy in ("brain", "neck")
                for key, places in (("psnr", 2), ("ssim", 3))
            ]
            rows.append([model, *values])
    head = ["model", "brain: PSNR, dB", "SSIM", "neck: PSNR, dB", "SSIM"]
    slices = [
        [f"{model}, {key}", several([one["measured slice"][model][key] for one in found], places=3)]
        for model in found[0]["measured slice"]
        for key in found[0]["measured slice"][model]
    ]
    return "\n\n".join([cells(head, rows), cells(["the measured slice", ""], slices)])


def options() -> str:
    """Each option less the plain recipe on the test set, seed by seed."""
    parts = []
    for kind, keys in (("segmentation", ("dice", "iou", "false_negative_rate")), ("classification", ("accuracy",))):
        found = [read(path) for path in sorted((RESULTS / "options").glob(f"{kind}_seed*.json"))]
        rows = [
            [
                name,
                *(several([one[name][key] for one in found]) for key in keys),
                several([one[name][keys[0]] - one["plain"][keys[0]] for one in found], sign="+"),
            ]
            for name in (found[0] if found else {})
            if isinstance(found[0][name], dict)
        ]
        if rows:
            parts.append(cells([kind, *keys, f"{keys[0]} less plain"], rows))
    return "\n\n".join(parts)


def embedding() -> str:
    """Accuracy, and the cost of taking samples out of the head."""
    rows = []
    for path in sorted((RESULTS / "embedding").glob("*.json")):
        found = read(path)
        for name, one in found.items():
            if name == "network":
                accuracy = [f"{one['accuracy'][part]:.3f}" for part in ("validation", "test")]
                rows.append([path.stem, "the network itself", *accuracy, *["-"] * 4])
                continue
            several_of = next(key for key in one if key.startswith("deleting ") and key != "deleting one")
            many = one[several_of]
            apart = max(part["largest_difference_from_refit"] for part in (one["deleting one"], many))
            rows.append(
                [
                    path.stem,
                    name,
                    *(f"{one['accuracy'][part]:.3f}" for part in ("validation", "test")),
                    f"{one['embedding']['cpu_seconds']:.1f}",
                    f"{one['deleting one']['milliseconds']:.1f} / {many['milliseconds']:.1f}",
                    f"{apart:.1e}",
                    "yes" if many["exact_for_encoder_and_head"] else f"no: {many['why_not']}",
                ]
            )
    head = ["samples", "head on", "validation", "test", "embedding, CPU s", "deleting 1 / 20, ms", "from a refit"]
    return cells([*head, "exact for the whole"], rows)


def multimodal() -> str:
    """Forget-MI beside retraining, by the share of subjects that is forgotten."""
    found = [read(path) for path in sorted((RESULTS / "multimodal").glob("seed*.json"))]
    if not found:
        return ""
    keys = list(found[0]["3%"]["original"])
    rows = [
        [share, model, *(several([one[share][model][key] for one in found]) for key in keys)]
        for share in found[0]
        for model in ("original", "as published", "bounded", "retrained")
    ]
    return cells(["subjects", "model", *keys], rows)
