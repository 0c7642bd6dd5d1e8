"""The tables of docs/RESULTS.md, printed from docs/results/: `python -m tests.studies.tables`."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from scipy.stats import t
from scripts.pool.trial import LEAST_SCORE
from scripts.references.verifier_study import OUTCOMES, PATTERNS
from tests.studies import field_tables
from tests.studies.common import RESULTS, read

SETS = ("forget", "retain", "validation", "test")
ATTACKS = ("population", "LiRA", "RMIA")
KINDS = ("original", "unlearned", "retrained")
VIEWS = ("forget_flip_h", "forget_flip_v", "forget_jitter", "forget_jpeg")


def results(pattern: str) -> list[dict[str, Any]]:
    """Result files that match, in order."""
    return [read(path) for path in sorted(RESULTS.glob(pattern))]


def number(value: Any) -> str:
    """Three places; a dash for what was not measured."""
    return "-" if value is None else f"{value:.3f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def minutes(found: dict[str, Any], *phases: str) -> str:
    """CPU seconds of phases."""
    return f"{sum(found['cost'][phase]['cpu_seconds'] for phase in phases if phase in found['cost']):.0f}"


def phantom() -> str:
    """FF_true per seed, controls beside."""
    rows = []
    for found in results("phantom/seed*.json"):
        ff, dice = found["ff_true"], found["dice"]
        rows.append(
            [
                str(found["seed"]),
                number(ff["original"]),
                number(ff.get("half")),
                f"**{number(ff['unlearned'])}**",
                number(ff["retrained"]),
                number(ff.get("over")),
                number(found["ff_score"]),
                *(f"{number(dice['teacher'][part])} -> {number(dice['student'][part])}" for part in SETS[1:]),
                minutes(found, "forget", "restore"),
            ]
        )
    head = ["seed", "do nothing", "half", "ours", "retrained", "over", "FF by score"]
    return table([*head, *(f"Dice {part}" for part in SETS[1:]), "CPU s"], rows)


def case(name: str, found: dict[str, Any], measure: str) -> list[list[str]]:
    """One row a model."""
    rows = []
    for model in ("teacher", "student", "retrained"):
        values = found[measure][model]
        fraction = found["forgetting"].get("forgotten_fraction")
        rows.append(
            [
                name,
                model,
                *(number(values.get(part)) for part in SETS),
                number(found["forgetting"].get(f"corrected_score_{model}")),
                {"teacher": "0", "student": number(fraction), "retrained": "1"}[model] if fraction else "",
                minutes(found, "forget", "restore") if model == "student" else "",
            ]
        )
    return rows


def chase(measure: str) -> str:
    """Requests for one child and for two, by the default and by the released schedule."""
    rows: list[list[str]] = []
    for found in results("chase/overfitted_seed*.json"):
        for request in ("one_child", "one_child_released", "two_children", "two_children_released"):
            if request in found:
                rows += case(request.replace("_", " "), found[request], measure)
    return table(["request", "model", *SETS, "corrected score", "FF", "CPU s"], rows)


def chase_teacher() -> str:
    """The teacher of the overlay beside the human ceiling."""
    rows = []
    for found in results("chase/teacher_seed*.json"):
        dice = found["teacher"]["dice"]
        seconds = f"{found['training']['train_model']['cpu_seconds']:.0f}"
        ceiling = number(found["human_ceiling_dice"])
        rows.append([str(found["seed"]), number(dice["validation"]), number(dice["test"]), ceiling, seconds])
    return table(["seed", "validation", "test", "two observers", "CPU s"], rows)


def isic_unlearn(pattern: str) -> str:
    """A tenth of the lesions unlearned; FF also by the test images, of which there are twice as many."""
    rows: list[list[str]] = []
    for found in results(pattern):
        weight = f"weight {found.get('settings', {}).get('forget_weight', 1):g}, seed {found['seed']}"
        score = {model: values["forget"] - values["test"] for model, values in found["score"].items()}
        by_test = (score["teacher"] - score["student"]) / (score["teacher"] - score["retrained"])
        for row in case(weight, found, "iou"):
            rows.append([*row[:-1], number(by_test) if row[1] == "student" else "", row[-1]])
    return table(["", "model", *SETS, "corrected score", "FF", "FF by test", "CPU s"], rows)


def isic_suppress() -> str:
    """A tenth of the lesions, and one diagnosis, suppressed."""
    rows = []
    parts = (*SETS, *VIEWS, "validation_forgotten_class", "validation_other_classes")
    for found in [*results("isic/suppress_*.json"), *results("isic/released_*.json")]:
        name = f"tenth, seed {found['seed']}" if "validation_forgotten_class" not in found["iou"]["teacher"] else "BKL"
        own = found.get("settings")
        name += f", bound {own['suppress_bound']:g}, {own['forget_augment']}" if own else ", released schedule"
        for model in ("teacher", "student"):
            rows.append([name, model, *(number(found["iou"][model].get(part)) for part in parts)])
    return table(["request", "model", *(part.replace("_", " ") for part in parts)], rows)


def classification() -> str:
    """A tenth of the images unlearned."""
    rows: list[list[str]] = []
    for found in results("isic_classification/seed*.json"):
        rows += case(f"seed {found['seed']}", found, "accuracy")
    return table(["", "model", *SETS, "corrected score", "FF", "CPU s"], rows)


def cost() -> str:
    """Contenders of `make bench`."""
    rows = []
    for found in results("speed.json"):
        for name, case in found["datasets"].items():
            ours = case["contenders"]["ours"]["cpu_seconds"]["median"]
            for contender in ("ours", "fold_start", "prepared", "retrain", "released", "finetune"):
                if contender not in case["contenders"]:
                    continue
                row = case["contenders"][contender]
                cpu = row["cpu_seconds"]
                values = next(value for key, value in row["outcome"].items() if key in ("dice", "iou", "accuracy"))
                rows.append(
                    [
                        name,
                        contender,
                        str(row["repeats"]),
                        f"{cpu['median']:.1f} ({cpu['low']:.1f}-{cpu['high']:.1f})",
                        f"{cpu['median'] / ours:.2f}",
                        f"{row['wall_seconds']['median']:.0f}",
                        f"{row['peak_memory_bytes']['median'] / 1e6:.0f}",
                        number(row["outcome"]["forgotten_fraction"]),
                        *(number(values.get(part)) for part in SETS),
                    ]
                )
    head = ["data", "", "repeats", "CPU s (low-high)", "over ours", "wall s", "memory MB", "FF"]
    return table([*head, *SETS], rows)


def verdicts() -> str:
    """What `verify` said of each request: `release/verdict.json` and the seconds of `release/references.json`."""
    rows = []
    for path in sorted(RESULTS.glob("verdict/*.json")):
        found = read(path)
        evidence, auc = found["verdict"]["evidence"], found["verdict"]["evidence"]["attacks"]
        worst, recovered = max(evidence["recovery"].items(), key=lambda item: item[1]["fraction"])
        checks = found["verdict"]["checks"]
        rows.append(
            [
                path.stem.replace("_", " "),
                f"**{found['verdict']['outcome']}**",
                f"{evidence['gap']['mean']:.2f}",
                f"{evidence['gap_over_sigma']:.1f}",
                f"{evidence['rho']:.2f}",
                f"{evidence['forgotten_fraction']:.2f}",
                *(f"{number(evidence[name]['value'])} ({number(evidence[name]['upper'])})" for name in PATTERNS),
                *(" / ".join(f"{statistics.fmean(auc[attack][kind]):.2f}" for kind in KINDS) for attack in ATTACKS),
                f"{recovered['fraction']:+.2f} ({worst.replace('_', ' ')})",
                ", ".join(check["name"] for check in checks if not check["met"]) or "-",
                f"{sum(map(sum, found['seconds'].values())) / 60:.0f}",
            ]
        )
    head = ["request", "verdict", "g, nats", "g / sigma", "rho", "FF", "E (bound)", "E of answers (bound)"]
    attacks = [f"AUC {name} O / U / R" for name in ATTACKS]
    return table([*head, *attacks, "most recovered", "checks not met", "minutes"], rows)


def _count(found: dict[str, Any]) -> str:
    """Blocks with an outcome, and the exact interval of their share."""
    return f"{found['count']} ({found['low']:.2f}-{found['high']:.2f})"


def verifier() -> str:
    """Verdicts on models of known truth, by disjoint blocks."""
    rows = []
    for found in results("verifier.json"):
        for name, row in found["controls"].items():
            counts = [row["outcomes"][outcome] for outcome in OUTCOMES]
            drawn = row["pass_rate_of_drawn_blocks"]
            blocks = row["evidence"]
            rows.append(
                [
                    name,
                    row["wanted"],
                    *(
                        f"{one['count']} ({one['low']:.2f}-{one['high']:.2f})" if one["count"] else "0"
                        for one in counts
                    ),
                    f"{drawn['value']:.2f} ({drawn['low']:.2f}-{drawn['high']:.2f})",
                    ", ".join(f"{one['forgotten_fraction']:.2f}" for one in blocks),
                    *(", ".join(f"{one[pattern]['value']:.3f}" for one in blocks) for pattern in PATTERNS),
                ]
            )
    head = ["control", "wanted", *OUTCOMES, "PASS of drawn blocks", "FF", "E", "E of answers"]
    return table(head, rows)


def retain_subset() -> str:
    """Changes against the teacher when retain images are drawn from a fixed part of them."""
    rows = []
    for found in results("retain_subset/seed*.json"):
        for row in found["rows"]:
            changes = [f"{row[part]:+.3f}" for part in ("retain", "validation", "test")]
            part = f"{100 * row['share']:.0f} %"
            rows.append(
                [str(found["seed"]), part, row["choice"], number(row["ff_true"]), *changes, f"{row['cpu_seconds']:.1f}"]
            )
    return table(["seed", "part", "chosen", "FF_true", "Dice retain", "Dice validation", "Dice test", "CPU s"], rows)


RECOVERED = ("fine_tuned_20", "fine_tuned_60", "fine_tuned_sgd", "relearned_20")
MODELS = (
    "adapter",
    "adapter, hardened",
    "all weights",
    "all weights, hardened",
    "fold start",
    "fold start, labels only",
    "fold teacher as it is",
    "retrained",
)


def recovery_kept(pattern: str) -> str:
    """What each method forgets, what it costs the other sets, how near it stays to the teacher; means over pairs."""
    rows = []
    for name, found in recovery_rows(pattern):
        change = [mean(one["dice"][part] - one["teacher"][part] for one in found) for part in SETS[1:]]
        agreement = [mean(one["agreement"][part] for one in found) for part in SETS[1:]]
        truth = [one["ff_true"] for one in found if one.get("ff_true") is not None]
        seconds = [one["cost"] for one in found if one["cost"] is not None]
        rows.append(
            [
                name,
                str(len(found)),
                number(mean(truth)) if truth else "-",
                number(mean(one["dice"]["forget"] for one in found)),
                ", ".join(f"{value:+.3f}" for value in change),
                ", ".join(number(value) for value in agreement),
                f"{mean(seconds):.0f}" if seconds else "-",
            ]
        )
    changes = "Dice retain, validation, test minus teacher"
    return table(
        ["", "pairs", "FF_true", "Dice forget", changes, "agreement with the teacher: the same", "CPU s"], rows
    )


def folds() -> str:
    """By number of folds: what the fold teacher lacks, what finishing makes up, and what the pool costs."""
    rows = []
    for data in ("phantom", "chase", "isic"):
        found = results(f"folds/{data}_seed*.json")
        for number_of_folds in sorted({name for one in found for name in one if name != "training"}, key=_order):
            own = [one for one in found if number_of_folds in one]
            count = _order(number_of_folds)[0]
            hours = mean(one["training"]["train_model"]["cpu_seconds"] for one in own) / 3600
            for name in ("fold teacher as it is", "fold start", "retrained"):
                pairs = [(one[number_of_folds][name], one[number_of_folds]["teacher"]) for one in own]
                change = [
                    mean(model["dice"][part] - teacher["dice"][part] for model, teacher in pairs) for part in SETS
                ]
                agreement = [mean(model["agreement"][part] for model, _ in pairs) for part in SETS[1:]]
                cost = [model["cost"] for model, _ in pairs if model["cost"] is not None]
                rows.append(
                    [
                        data,
                        number_of_folds,
                        f"{count * hours:.2f}",
                        str(len(own)),
                        name,
                        ", ".join(f"{value:+.3f}" for value in change),
                        ", ".join(number(value) for value in agreement),
                        f"{mean(cost):.0f}" if cost else "-",
                    ]
                )
    changes = "Dice forget, retain, validation, test minus teacher"
    head = ["data", "folds", "pool, CPU h", "seeds", "", changes, "agreement retain, validation, test", "CPU s"]
    return table(head, rows)


def prepared() -> str:
    """What `prepare` alone leads to, by request: means over seeds."""
    rows = []
    requests = [("phantom", "four_patients"), ("chase", "one_child"), ("chase", "two_children")]
    requests += [("isic", "one_lesion"), ("isic", "tenth"), ("isic_classification", "tenth")]
    for data, request in requests:
        found = results(f"prepared/{data}_{request}_seed*.json")
        if not found:
            continue
        key = next(name for name in ("dice", "accuracy") if name in found[0]["teacher"])
        known = [fraction for one in found if (fraction := _fraction(one)) is not None]
        change = [mean(one["prepared"][key][part] - one["retrained"][key][part] for one in found) for part in SETS[1:]]
        alike = [mean(one["prepared"]["agreement"][part] for one in found) for part in SETS[1:]]
        twin = [mean(one["retrained"]["agreement"][part] for one in found) for part in SETS[1:]]
        rows.append(
            [
                f"{data.replace('_', ' ')}, {request.replace('_', ' ')}",
                ", ".join(sorted({str(one["method"]) for one in found})),
                str(len(found)),
                f"{mean(known):.2f} ({min(known):.2f} to {max(known):.2f})" if known else "-",
                ", ".join(f"{value:+.3f}" for value in change),
                ", ".join(f"{own - other:+.3f}" for own, other in zip(alike, twin, strict=True)),
                " / ".join(_came_back(found, attack, key) for attack in RECOVERED[:2]),
                f"{mean(one['prepared']['cost'] for one in found):.0f}",
                f"{mean(one['training'] for one in found):.0f}",
                f"{mean(one['preparation_cpu_hours'] for one in found):.2f}",
                f"{mean(one['store_bytes'] for one in found) / 1e6:.0f}",
            ]
        )
    head = ["request", "method", "seeds", "FF", "key metric minus retrained: retain, validation, test"]
    head += ["agreement minus retrained's: the same", "came back after 20 / 60 steps, key metric and score"]
    return table([*head, "CPU s", "of a training", "preparation, CPU h", "store, MB"], rows)


def structures() -> str:
    """Two structures on the phantom: what is forgotten in truth and by score, and what is kept, Dice."""
    rows = []
    for path in sorted((RESULTS / "structures").glob("*.json")):
        found, name = read(path), path.stem.rpartition("_seed")
        dice = found["dice"]
        kept = [
            f"{number(dice['teacher']['dice'][part])} -> {number(dice['student']['dice'][part])}"
            f" ({number(dice['retrained']['dice'][part])})"
            for part in ("retain", "validation", "test")
        ]
        rows.append([name[0], name[2], number(found["ff_true"]), number(found["ff_score"]), *kept])
    head = ["task", "seed", "FF_true", "FF by score", "retain (retrained)", "validation", "test"]
    return table(head, rows)


def foreign() -> str:
    """Bundles of others: what is forgotten in truth, and the key metric of teacher and student."""
    rows = []
    for path in sorted((RESULTS / "foreign").glob("*.json")):
        found = read(path)
        metric = next(name for name in ("dice", "accuracy") if name in found)
        kept = [
            f"{number(found[metric]['teacher'][part])} -> {number(found[metric]['student'][part])}"
            for part in ("forget", "retain", "validation")
        ]
        recall = found["recall"]
        slopes = [number(recall["teacher"]), number(recall["student"])]
        slopes.append(" ".join(number(value) for value in recall["retrained"]))
        rows.append([path.stem, found["task"], found["method"], *slopes, number(found["ff_true"]), metric, *kept])
    head = ["bundle", "task", "method", "recall: teacher", "student", "retrained", "FF_true", "metric"]
    return table([*head, "forget", "retain", "validation"], rows)


def volumes() -> str:
    """Peak memory, MB, by the number of volumes."""
    found = read(RESULTS / "volumes" / "memory.json")["peak_mb"]
    rows = [[phase, *(f"{found[count][phase]:.0f}" for count in sorted(found, key=int))] for phase in found["10"]]
    return table(["phase", *(f"{count} volumes" for count in sorted(found, key=int))], rows)


def _fraction(found: dict[str, Any]) -> float | None:
    """Forgotten fraction by score against the model of another seed; None where the teacher does not stand out."""
    teacher, own, other = (
        found[name]["score"]["forget"] - found[name]["score"]["validation"]
        for name in ("teacher", "prepared", "retrained, another seed")
    )
    return (teacher - own) / (teacher - other) if teacher - other >= LEAST_SCORE else None


def _came_back(found: Sequence[dict[str, Any]], attack: str, key: str) -> str:
    """Share that came back by key metric and by score, with bounds."""
    parts = []
    for measure in (key, "score"):
        values = [one["prepared"]["recovery"][attack][f"recovered_{measure}"] for one in found]
        parts.append(bounded([value for value in values if value is not None]))
    return ", ".join(parts)


def _order(name: str) -> tuple[int, str]:
    """Number of folds, and what else distinguishes a row."""
    count, _, rest = name.partition(",")
    return int(count), rest


def recovery_attacked(pattern: str) -> str:
    """The share that comes back after each attack, by Dice / by score: mean over pairs, and its upper 95 % bound."""
    rows = []
    for name, found in recovery_rows(pattern):
        cells = []
        for attack in RECOVERED:
            parts = []
            for measure in ("dice", "score"):
                made = [one["recovery"][attack] for one in found if one["recovery"][attack] is not None]
                values = [one[f"recovered_{measure}"] for one in made]
                parts.append(bounded([value for value in values if value is not None]))
            cells.append(" / ".join(parts))
        rows.append([name, str(len(found)), *cells])
    return table(["", "pairs", *RECOVERED], rows)


def recovery_rows(pattern: str) -> list[tuple[str, list[dict[str, Any]]]]:
    """Model -> what was measured of it on each pair, with the teacher's Dice beside."""
    found = results(pattern)
    rows = []
    for name in MODELS:
        own = [{**pair[name], "teacher": pair["teacher"]["dice"]} for pair in found if name in pair]
        if own:
            rows.append((name, own))
    return rows


def mean(values: Iterable[float]) -> float:
    """Of at least one value."""
    return statistics.fmean(values)


def bounded(values: Sequence[float]) -> str:
    """Mean, and in brackets its one-sided upper 95 % bound by Student's t where there are three values or more."""
    if not values:
        return "-"
    if len(values) < 3:
        return f"{mean(values):.2f}"
    bound = mean(values) + t.ppf(0.95, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
    return f"{mean(values):.2f} ({bound:.2f})"


def main() -> None:
    """Print all tables."""
    for title, text in (
        ("Recovery, phantom", recovery_kept("recovery/phantom_seed*.json")),
        ("Recovery, phantom, attacked", recovery_attacked("recovery/phantom_seed*.json")),
        ("Recovery, CHASE_DB1", recovery_kept("recovery/chase_seed*.json")),
        ("Recovery, CHASE_DB1, attacked", recovery_attacked("recovery/chase_seed*.json")),
        ("Recovery, ISIC, one lesion", recovery_kept("recovery/isic_seed*.json")),
        ("Recovery, ISIC, one lesion, attacked", recovery_attacked("recovery/isic_seed*.json")),
        ("Folds", folds()),
        ("By preparation alone", prepared()),
        ("Cost", cost()),
        ("Verdicts", verdicts()),
        ("The verifier measured", verifier()),
        ("Phantom, part of the retain images", retain_subset()),
        ("Phantom", phantom()),
        ("Phantom, two structures", structures()),
        ("Bundles of others", foreign()),
        ("Volumes of 128^3, peak memory", volumes()),
        ("CHASE_DB1 teacher, Dice", chase_teacher()),
        ("CHASE_DB1, Dice", chase("dice")),
        ("CHASE_DB1, IoU", chase("iou")),
        ("ISIC 2018, unlearn, IoU", isic_unlearn("isic/unlearn_seed*.json")),
        ("ISIC 2018, unlearn, first tries, IoU", isic_unlearn("isic/unlearn_weight*.json")),
        ("ISIC 2018, suppress, IoU", isic_suppress()),
        ("ISIC 2017 diagnosis, accuracy", classification()),
        ("Methods side by side", field_tables.methods()),
        ("MR reconstruction", field_tables.reconstruction()),
        ("Options of training and answering, ISIC 2017", field_tables.options()),
        ("Embeddings of MedMNIST", field_tables.embedding()),
        ("Forget-MI", field_tables.multimodal()),
    ):
        print(f"\n{title}\n\n{text}")


if __name__ == "__main__":
    main()
