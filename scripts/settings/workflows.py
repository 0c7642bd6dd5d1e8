"""Which settings stand in which workflow file, under which headings, and with which defaults of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_DATA = (
    "dataset_name dataset_dir datalist medmnist undersampling acceleration center_fraction foreign trust_foreign"
    " patient_from task observer phantom_seed phantom_patients download image_size patch_size patch_overlap normalise"
    " cache split_seed validation_share test_share guard_share folds"
)
_FOREIGN = "foreign trust_foreign"
_NETWORK = "network_name spatial_dims in_channels out_channels"
_ARITHMETIC = "device amp distributed channels_last threads"
_RECIPE = (
    "method exact schedule reference trainable forget_objective forget_weight retain_objective retain_weight"
    " supervised_weight suppress_bound suppress_slack scope lora_rank lora_alpha lora_dropout forget_optimizer"
    " forget_learning_rate forget_momentum forget_weight_decay forget_lr_schedule forget_batch retain_batch guard_batch"
    " retain_images retain_choice hard_share hardening_weight hardening_steps steps_per_round max_rounds min_rounds"
    " stop_at tolerance bisect seed"
)
_RESTORE = (
    "reference suppress_bound restore_epochs restore_steps restore_batch retain_images retain_choice"
    " restore_learning_rate restore_patience restore_drift restore_augment seed"
)
_GONE = "tombstones key_dir"
_ASKED = "request withdrawn requested_on"
_INFER_COMMENTS = {
    "dataset_dir": "Folder of images: PNG, JPEG, BMP, TIFF or NIfTI.",
    "output_dir": "Folder that the answers go to.",
    "model_dir": "Folder of the trained weights.",
    "model_name": "File of the trained weights in model_dir.",
}
_INFER = "bundle_root dataset_dir output_dir model_dir model_name checkpoint"


@dataclass(frozen=True)
class Workflow:
    """The settings of one workflow file.

    Attributes:
        headings: heading -> names of settings, in the order of the file.
        defaults: where they differ from those of the settings.
        reaches: workflows whose settings may be given too, because this one runs them.
        comments: where they say something else than those of the settings.
    """

    headings: Mapping[str, str]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    reaches: tuple[str, ...] = ()
    comments: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The settings in the order of the file."""
        return tuple(name for group in self.headings.values() for name in group.split())


WORKFLOWS: dict[str, Workflow] = {
    "train": Workflow(
        {
            "where": "bundle_root output_dir model_dir model_name split_dir overwrite",
            "data": f"{_DATA} augment",
            "what is left out": f"fold_members fold member as_model request forget_ratio {_GONE}",
            "network": _NETWORK,
            "training": "seed epochs foreign_epochs batch_size learning_rate weight_decay lr_schedule training_loss"
            " feed_back select patience"
            " validate_every checkpoint_every",
            "arithmetic": f"{_ARITHMETIC} progress",
        },
        defaults={"request": "", "folds": 0},
    ),
    "prepare": Workflow(
        {
            "where": "bundle_root output_dir model_dir fold_dir split_dir model_name trust_unrecorded reference_dir"
            " fold_models fold_lists",
            "what is left out": _GONE,
            "how much": "fold_members store_budget calibration_requests prepare_minutes recalibrate mock_requests"
            " mock_patients mock_folds measure_members reference_seed reference_workers reference_backend",
            "data": f"{_DATA} eval_batch_size",
            "network": _NETWORK,
            "training": "seed batch_size",
            "arithmetic": f"{_ARITHMETIC} progress",
        },
        defaults={"amp": "auto"},
        reaches=("train", "forget", "restore"),
    ),
    "tune": Workflow(
        {
            "where": "bundle_root output_dir model_dir fold_dir split_dir model_name trust_unrecorded reference_dir",
            "what is left out": _GONE,
            "how much": "tune_methods tune_trials calibration_requests seed reference_seed reference_workers"
            " reference_backend",
            "data": f"{_DATA} eval_batch_size",
            "network": _NETWORK,
            "arithmetic": f"{_ARITHMETIC} progress",
        },
        defaults={"amp": "auto"},
        reaches=("train", "forget", "restore"),
    ),
    "compare": Workflow(
        {
            "where": "bundle_root output_dir model_dir model_name fold_dir split_dir trust_unrecorded reference_dir",
            "what to forget": f"{_ASKED} goal {_GONE}",
            "what is compared": "compare_methods compare_seeds compare_retrained reference_seed reference_workers"
            " reference_backend",
            "data": f"{_DATA} eval_batch_size",
            "network": _NETWORK,
            "arithmetic": "device amp channels_last threads progress",
        },
        reaches=("train", "forget", "restore"),
    ),
    "embed": Workflow(
        {
            "where": "bundle_root output_dir split_dir encoder",
            "what to delete": f"{_ASKED} {_GONE}",
            "the head": "ridge",
            "data": f"{_DATA} eval_batch_size",
            "network of the encoder": _NETWORK,
            "arithmetic": "device amp channels_last threads progress",
        },
        defaults={"request": ""},
    ),
    "renew": Workflow(
        {
            "where": "bundle_root model_dir fold_dir split_dir model_name trust_unrecorded reference_dir",
            "who is gone": _GONE,
            "how": "renew_by measure_members reference_seed reference_workers reference_backend",
            "data": f"{_DATA} eval_batch_size",
            "network": _NETWORK,
            "arithmetic": "device threads progress",
        },
        reaches=("prepare", "train", "forget", "restore"),
    ),
    "process": Workflow(
        {
            "where": "bundle_root inbox output_dir model_dir model_name fold_dir trust_unrecorded reference_dir",
            "what the hospital keeps": "tombstones key_dir anchor",
            "how": "requested_on batch evidence accept_no_influence renew_by",
            "arithmetic": "device threads progress",
        },
        reaches=(
            *("unlearn", "forget", "restore", "evaluate", "references", "verify", "commit", "renew", "prepare"),
            "train",
        ),
    ),
    "forget": Workflow(
        {
            "where": "bundle_root output_dir model_dir fold_dir split_dir model_name fold trust_unrecorded",
            "what to forget": f"{_ASKED} forget_ratio goal {_GONE}",
            "data": f"{_DATA} near_duplicates eval_batch_size",
            "network": _NETWORK,
            "forgetting; null: as preparation found, or as method and goal say, see docs/README.md": _RECIPE,
            "of single methods; null: as the method says, see docs/METHODS.md": "saliency_share critical_classes"
            " ascent_rounds dampen_above dampening l1_weight last_layers",
            "views and the cache of what no trained weight changes": "forget_augment cached_views frozen_budget",
            "arithmetic": f"{_ARITHMETIC} low_memory progress",
        },
        defaults={"amp": "auto"},
        comments={
            "fold": "Fold whose teacher, model_name, forgets who is gone, as renew does it; -1: a teacher of all."
        },
    ),
    "restore": Workflow(
        {
            "where": "bundle_root output_dir model_dir fold_dir split_dir model_name trust_unrecorded",
            "what to forget": f"{_ASKED} forget_ratio goal {_GONE}",
            "data": f"{_DATA} cached_views frozen_budget eval_batch_size",
            "network": _NETWORK,
            "restoration": _RESTORE,
            "arithmetic": f"{_ARITHMETIC} low_memory progress",
        },
        defaults={"amp": "auto"},
    ),
    "evaluate": Workflow(
        {
            "where": "bundle_root output_dir model_dir fold_dir split_dir model_name trust_unrecorded",
            "what to forget": f"{_ASKED} forget_ratio goal {_GONE}",
            "data": f"{_DATA} eval_batch_size",
            "network": _NETWORK,
            "what is measured": "student_path retrained_path ensemble test_augment surface forget_views attacks"
            " overlays seed",
            "arithmetic": "device amp channels_last threads progress",
        },
    ),
    "unlearn": Workflow(
        {"where": "bundle_root", "arithmetic": "device distributed"}, reaches=("forget", "restore", "evaluate")
    ),
    "revert": Workflow(
        {
            "where": f"bundle_root output_dir model_dir model_name {_ASKED} {_FOREIGN}",
            "network": _NETWORK,
            "arithmetic": "device",
        },
    ),
    "references": Workflow(
        {
            "where": "bundle_root output_dir model_dir model_name fold_dir split_dir trust_unrecorded reference_dir",
            "what to forget": f"{_ASKED} goal {_GONE}",
            "how many": "reference_pairs reference_pilot reference_budget reference_minutes reference_seed"
            " reference_workers reference_backend",
            "data": f"{_DATA} eval_batch_size",
            "network": _NETWORK,
            "what is measured": "recovery recovery_steps relearning_steps overlays reference_surface",
            "arithmetic": "device channels_last threads progress",
        },
        reaches=("train", "forget", "restore"),
    ),
    "verifier_study": Workflow(
        {
            "where": "bundle_root output_dir model_dir model_name fold_dir split_dir trust_unrecorded reference_dir",
            "what to forget": f"{_ASKED} {_GONE}",
            "how many": "study_pairs study_blocks study_controls reference_seed reference_workers reference_backend",
            "data": f"{_DATA} eval_batch_size",
            "network": _NETWORK,
            "arithmetic": "device channels_last threads progress",
        },
        reaches=("train", "forget", "restore"),
    ),
    "verify": Workflow(
        {
            "where": "bundle_root output_dir model_dir model_name fold_dir split_dir trust_unrecorded reference_dir",
            "what to forget": f"{_ASKED} goal {_GONE}",
            "by which evidence; the margin of equivalence, 0.3 of the teacher's gap, is no setting": "evidence"
            " measure_members reference_seed",
            "data; asked for where mock requests are the evidence": f"{_DATA} eval_batch_size",
            "network": _NETWORK,
            "arithmetic": "device channels_last threads",
        },
        reaches=("train", "forget", "restore"),
    ),
    "commit": Workflow(
        {
            "where": f"bundle_root output_dir model_dir model_name {_ASKED}",
            "what the hospital keeps": "key_dir anchor tombstones next_dir batch_of",
            "without a PASS": "accept_no_influence override_reason",
        },
    ),
    "export": Workflow(
        {
            "where": f"bundle_root output_dir {_ASKED} {_FOREIGN}",
            "network": f"task image_size patch_size patch_overlap normalise {_NETWORK}",
        }
    ),
    "inference": Workflow(
        {
            "where": f"{_INFER} output_ext output_postfix",
            "network": f"{_NETWORK} image_size patch_size patch_overlap normalise",
            "how": "device threshold inference_batch",
        },
        defaults={"dataset_dir": "$@bundle_root + '/sample_data'", "output_dir": "$@bundle_root + '/eval/inference'"},
        comments=_INFER_COMMENTS,
    ),
    "inference_classification": Workflow(
        {
            "where": f"{_INFER} output_file",
            "network": f"{_NETWORK} image_size normalise",
            "how": "device inference_batch",
        },
        defaults={
            "dataset_dir": "$@bundle_root + '/sample_data'",
            "output_dir": "$@bundle_root + '/eval/inference'",
            "network_name": "densenet121",
            "out_channels": 2,
        },
        comments=_INFER_COMMENTS,
    ),
}


def accepted(workflow: str) -> frozenset[str]:
    """The settings that a workflow takes: its own, and those of the workflows that it runs."""
    own = WORKFLOWS[workflow]
    return frozenset(own.names).union(*(WORKFLOWS[name].names for name in own.reaches))
