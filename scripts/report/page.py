"""The report, one self-contained HTML page: in `private/`, and without pictures and ids in `release/`."""

from __future__ import annotations

import base64
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.files import read_json, reading, write_text
from scripts.identity import Identity
from scripts.record.certificate import due_date
from scripts.record.phase import made_exact, read_identities
from scripts.record.run_folder import RunFolder
from scripts.report.charts import attacks_chart, contrasts_chart, relearning_chart, scores_chart
from scripts.report.summary import ATTACKED, KEY_METRICS, made

TEMPLATE = Path(__file__).with_name("page.html")
PLAIN = {
    "PASS": "This model was compared with models that never saw the data: on the data it behaves as they do. The"
    " comparison could have found a difference; it found none.",
    "FAIL-under": "The model still recognises the data. It must not be released as unlearned.",
    "FAIL-over": "The model treats the data worse than any model would that never saw it. That can give away who was"
    " forgotten. It must not be released as unlearned.",
    "INCONCLUSIVE": "The comparison could not show that the data is forgotten, nor that it is not. Until it can, the"
    " model must not be released as unlearned.",
    "NO-MEASURABLE-INFLUENCE": "Models with and without the data do not differ measurably on it: there was nothing"
    " that unlearning could have removed.",
}
# For the letter to the person who asked; data-protection authorities ask what became of a request.
_SEPARATE = (
    " Your images themselves, earlier copies of the model and backups are dealt with apart from this. You may lodge a"
    " complaint with the supervisory authority."
)
ANSWER = {
    "PASS": "You asked us to remove your data from a computer model that we trained with it. We changed the model so"
    " that it no longer makes use of what it had learned from your images, and compared it with models that never saw"
    " them. We found no difference beyond a margin that was fixed before we looked. This is a statistical finding, not"
    f" a proof that every trace is gone.{_SEPARATE}",
    "NO-MEASURABLE-INFLUENCE": "You asked us to remove your data from a computer model that we trained with it. We"
    " compared the model with models that never saw your images and found that your data had made no measurable"
    f" difference to it.{_SEPARATE}",
    "": "You asked us to remove your data from a computer model that we trained with it. We have tried, and could not"
    " yet show that it succeeded. We will not use the changed model as one that no longer knows your data, and will"
    f" tell you how we go on.{_SEPARATE}",
}
MEASURES = ("dice", "iou", "accuracy", "ssim", "false_negative_rate")
REMEDY = "remove it and run the command that writes it again"
PICTURES = ("forget", "validation", "test")


class Report:
    """Writes both pages from the artefacts of a run.

    Args:
        synthetic: whether the data is drawn by code; said on the page.
    """

    def __init__(self, *, folder: RunFolder, synthetic: bool = False) -> None:
        self.folder, self.synthetic = folder, bool(synthetic)

    def write(self) -> None:
        """Write, the public page last: it is there when the report is whole."""
        with reading(self.folder.verdict, remedy=REMEDY):
            pages = {part: self.page(private=part == "private") for part in ("private", "release")}
        for part, page in pages.items():
            write_text(self.folder.root / part / "report.html", page)
        self.folder.write_manifest()

    def page(self, *, private: bool) -> str:
        """The page; only the private one has pictures and the request's id and ground."""
        from jinja2 import Environment, StrictUndefined, UndefinedError
        from markupsafe import Markup

        verdict = _read(self.folder.verdict)
        evidence = verdict.get("evidence") or {}
        request = (_read(self.folder.resolution).get("request") or {}) if private else {}
        environment = Environment(autoescape=True, undefined=StrictUndefined)
        charts = dict.fromkeys(("scores_chart", "contrasts_chart", "attacks_chart", "relearning_chart"), "")
        if evidence.get("means"):
            # Drawn by us from numbers alone: the only markup that is not escaped.
            charts["scores_chart"] = Markup(scores_chart(evidence["means"]))
            charts["contrasts_chart"] = Markup(
                contrasts_chart(evidence["difference"], evidence["gap"], evidence["margin"])
            )
            charts["attacks_chart"] = Markup(attacks_chart(evidence["attacks"]))
        if again := evidence.get("relearning"):
            charts["relearning_chart"] = Markup(relearning_chart(again["steps"], again["curves"], again["level"]))
        shown = dict(
            verdict=verdict,
            kind=verdict.get("evidence_kind"),
            after_attack=_after_attack(evidence.get("recovery") or {}),
            agreement=evidence.get("agreement") or {},
            pool=evidence.get("pool") or {},
            exact=self._exact(),
            evidence=evidence if evidence.get("means") else {},
            mock=evidence if evidence.get("mock_requests") else {},
            fraction_interval=fraction_interval(evidence.get("means") or {}),
            request={name: request.get(name, "") for name in ("request_id", "requested_on", "ground")},
            due_on=due_date(request["requested_on"]) if request else "",
            plain=PLAIN[verdict["outcome"]],
            answer=ANSWER.get(verdict["outcome"], ANSWER[""]),
            synthetic=self.synthetic,
            private=private,
            pictures=self._pictures() if private else [],
            number=_number,
            mean=statistics.fmean,
            **charts,
        )
        with reading(self.folder.metrics, remedy=REMEDY):
            shown["metrics"] = self._metrics()
            shown["recovery"] = self._recovery()
        with reading(self.folder.timing, remedy=REMEDY):
            shown["costs"] = self._costs()
        try:
            return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(shown)
        except UndefinedError as error:
            raise ValueError(f"the template needs what is not there: {error}") from error

    def _exact(self) -> bool:
        """Whether the data are gone by construction, and the tests are a check of the record."""
        found = read_identities(self.folder).get("forget")
        if found is None:
            return False
        return made_exact(self.folder.read_state(), Identity.read(found, where=self.folder.identity))

    def _metrics(self) -> list[dict[str, Any]]:
        found = _read(self.folder.metrics)
        rows = []
        for name in ("forget", "retain", "validation", "test"):
            student = found.get("student", {}).get(name, {})
            teacher = found.get("teacher", {}).get(name, {})
            rows += [
                {
                    "name": name,
                    "patients": student["n_patients"],
                    "measure": measure.replace("_", " "),
                    "teacher": teacher[measure]["mean"],
                    "student": student[measure]["mean"],
                }
                for measure in MEASURES
                if measure in student
            ]
        return rows

    def _recovery(self) -> list[dict[str, Any]]:
        """Per attack that was made: key metric before and after it, and what came back, for each model."""
        found = _read(self.folder.metrics).get("recovery", {})
        rows = []
        for attack in made(found):
            for model in ATTACKED:
                if (entry := found.get(model, {}).get(attack)) is None:
                    continue
                key = next((name for name in KEY_METRICS if name in entry), "")
                own = {"attack": attack.replace("_", " "), "model": model.replace("_", " "), "measure": key}
                own |= {"before": entry[f"{key}_before"], "after": entry[key]}
                rows.append(own | {"share": entry[f"recovered_{key}"], "score_share": entry["recovered_score"]})
        return rows

    def _pictures(self) -> list[dict[str, str]]:
        paths = [self.folder.overlays / f"{name}.png" for name in PICTURES]
        return [
            {"name": path.stem, "data": base64.b64encode(path.read_bytes()).decode()}
            for path in paths
            if path.is_file()
        ]

    def _costs(self) -> list[tuple[str, str]]:
        timing = _read(self.folder.timing)
        rows = [
            (f"{phase} of the delivered model", f"{found['cpu_seconds']:.1f} CPU seconds")
            for phase, found in timing.items()
            if phase in ("forget", "restore")
        ]
        seconds = _read(self.folder.release / "references.json").get("seconds", {})
        total = {kind: sum(found) for kind, found in seconds.items()}
        if total:
            every = sum(total.values())
            rows += [(f"{len(seconds[kind])} {kind} models", f"{spent:.0f} seconds") for kind, spent in total.items()]
            rows.append(("evidence in all, without a pool", f"{every:.0f} seconds"))
            rows.append(("evidence, originals at hand", f"{every - total.get('original', 0.0):.0f} seconds"))
        return rows


def fraction_interval(means: Mapping[str, Sequence[float]]) -> tuple[float, float] | None:
    """95 % jackknife interval over pairs of the forgotten fraction (mean O - mean U) / (mean O - mean R)."""
    import numpy as np
    from scipy import stats

    if not means:
        return None
    o, u, r = (np.asarray(means[name], dtype=float) for name in ("original", "unlearned", "retrained"))

    def fraction(kept: Any) -> float:
        return float((o[kept].mean() - u[kept].mean()) / (o[kept].mean() - r[kept].mean()))

    count = len(o)
    every = np.arange(count)
    parts = np.array([fraction(every != pair) for pair in range(count)])
    error = float(np.sqrt((count - 1) / count * ((parts - parts.mean()) ** 2).sum()))
    half = float(stats.t.ppf(0.975, count - 1)) * error
    return fraction(every) - half, fraction(every) + half


def _after_attack(recovery: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Attack -> part of the gap that is there after it, and the key metric of unlearned and of other models."""
    rows = []
    for name, found in recovery.items():
        key = next((key for key in KEY_METRICS if f"unlearned_{key}" in found), "")
        row = {"name": name.replace("_", " "), "measure": key, "fraction": found["fraction"], "bound": found["bound"]}
        rows.append(row | {kind: found.get(f"{kind}_{key}") for kind in ("unlearned", "retrained")})
    return rows


def _read(path: Path) -> dict[str, Any]:
    return read_json(path, remedy=REMEDY) if path.exists() else {}


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
