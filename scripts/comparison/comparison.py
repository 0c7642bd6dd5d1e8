"""`run compare`: every method answers one request, and stands beside models that were trained without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.comparison.contender import RETRAIN, Contender
from scripts.comparison.row import Row, figures, gathered
from scripts.comparison.standing import Standing, Standings
from scripts.comparison.table import draw, markdown
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.models import place_teacher
from scripts.errors import user_error
from scripts.files import read_json, write_json, write_text
from scripts.record.run_folder import RunFolder
from scripts.references.jobs import Job, run_jobs
from scripts.references.pairs import Pairs
from torch import nn

FORMAT = 1
REMEDY = "run compare again"
SAYS_NOBODY = ("method: ", "critical_classes: ", "loss is ")  # beginnings of refusals that name no patient and no path


class Comparison:
    """Makes what is missing, measures, and writes `release/compare.json`, `compare.md` and `compare.png`, and where the
    models lie into `private/models.json`.

    A method that cannot answer the request, or whose training fails, is a row that says so.

    Args:
        contenders: the rows.
        pairs_for: contender -> the procedure that makes its students; None: that of retrained models alone.
        standings: of models.
        network: the architecture; it is copied.
        teacher: file of the teacher.
        seeds: students of each method.
        retrained: models without the request, at least 2.
        tuning: method -> CPU seconds that finding its settings took.
        metric: name of the key metric.
        workers, backend: see `run_jobs`.
    """

    def __init__(
        self,
        *,
        contenders: Sequence[Contender],
        pairs_for: Callable[[Contender | None], Pairs],
        standings: Standings,
        network: nn.Module,
        teacher: Path,
        arithmetic: Arithmetic,
        folder: RunFolder,
        seeds: int,
        retrained: int,
        tuning: Mapping[str, float],
        metric: str,
        workers: int = 1,
        backend: str = "local",
    ) -> None:
        self.contenders, self.pairs_for, self.standings = list(contenders), pairs_for, standings
        self.network, self.teacher, self.arithmetic = network, teacher, arithmetic
        self.folder, self.metric = folder, metric
        self.seeds, self.count, self.tuning = int(seeds), int(retrained), dict(tuning)
        self.workers, self.backend = int(workers), backend
        self.models: dict[str, list[str]] = {}

    def run(self) -> None:
        """Train, forget, measure, write.

        Raises:
            InputError: the retrained models would not be made as the teacher was.
        """
        plain = self.pairs_for(None)
        record = self.teacher.with_suffix(".json")
        plain.check_like(read_json(record, remedy=REMEDY) if record.is_file() else {}, {})
        plain.make_folder()
        self.folder.begin()
        twins = [plain.retrained(number) for number in range(self.count)]
        missing = sum(not job.done() for job in twins)
        print(f"compare: {len(self.contenders)} methods; {missing} retrained models to be trained", flush=True)
        run_jobs(twins, workers=self.workers, backend=self.backend)
        self.models[RETRAIN] = [str(job.weights) for job in twins]
        teacher = self.standings.of(self._placed(self.teacher))
        retrained = [self.standings.of(self._placed(job.weights)) for job in twins]
        rows: list[Row] = []
        for contender in self.contenders:
            row = self._row(contender, teacher=teacher, retrained=retrained, twins=twins)
            rows.append(row)
            print(f"compare: {_told(row)}", flush=True)
            self._write(rows, teacher=teacher, retrained=retrained)
        table = markdown(rows, metric=self.metric)
        write_text(self.folder.release / "compare.md", table)
        draw(rows, self.folder.release / "compare.png", metric=self.metric)
        print(f"\n{table}\nwritten to {self.folder.release}", flush=True)

    def _row(
        self,
        contender: Contender,
        *,
        teacher: Standing,
        retrained: Sequence[Standing],
        twins: Sequence[Job],
    ) -> Row:
        if contender.method == RETRAIN:
            # Each beside the others: how far a retrained model is from retrained models.
            found = [
                figures(
                    one,
                    teacher=teacher,
                    retrained=[*retrained[:place], *retrained[place + 1 :]],
                    seconds=cpu_seconds(twins[place]),
                )
                for place, one in enumerate(retrained)
            ]
            return gathered(contender.name, found)
        try:
            found = []
            for number in range(self.seeds):
                job = self.pairs_for(contender).compared(self.teacher, number)
                job.run()
                self.models.setdefault(contender.name, []).append(str(job.weights))
                student = self.standings.of(self._placed(job.weights))
                found.append(figures(student, teacher=teacher, retrained=retrained, seconds=cpu_seconds(job)))
        except Exception as error:  # a method of the field may fail in any way, and that is a result
            mended = user_error(error)
            print(f"compare: {contender.name} failed: {mended or error!r}", flush=True)
            return Row(contender.name, failed=_public(mended, error))
        return gathered(contender.name, found, tuning=self.tuning.get(contender.method))

    def _placed(self, path: Path) -> nn.Module:
        return place_teacher(network=self.network, path=path, arithmetic=self.arithmetic)

    def _write(self, rows: Sequence[Row], *, teacher: Standing, retrained: Sequence[Standing]) -> None:
        content = {
            "format": FORMAT,
            "metric": self.metric,
            "seeds": self.seeds,
            "retrained": [dict(one.metric) | {"auc": one.auc, "score": one.score} for one in retrained],
            "teacher": dict(teacher.metric) | {"auc": teacher.auc, "score": teacher.score},
            "rows": [row.as_dict() for row in rows],
        }
        write_json(self.folder.release / "compare.json", content)
        write_json(self.folder.private / "models.json", self.models)


def cpu_seconds(job: Job) -> float | None:
    """CPU seconds of all phases that made a model; None where they were not written down."""
    found: list[Path] = sorted(job.folder.glob("**/release/timing.json"))
    if not found:
        return None
    tables: list[dict[str, Any]] = [read_json(path, remedy=REMEDY) for path in found]
    return sum(float(entry["cpu_seconds"]) for table in tables for entry in table.values())


def _public(mended: Exception | None, error: Exception) -> str:
    """Why a method failed, without what a path or an id could stand in: the sentence of a refusal of the method."""
    text = str(mended) if mended is not None else ""
    return text if text.startswith(SAYS_NOBODY) else type(mended or error).__name__


def _told(row: Row) -> str:
    if row.failed:
        return f"{row.name} failed"
    shown = {name: row.mean(name) for name in ("average_gap", "forgotten_fraction", "cpu_seconds")}
    told = ", ".join(f"{name} {value:.3g}" for name, value in shown.items() if value is not None)
    return f"{row.name}: {told}"
