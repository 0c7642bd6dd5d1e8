"""The data set, how its images are prepared, and how its patients are split."""

from scripts.settings.groups.limits import BATCHES, SEEDS
from scripts.settings.setting import Kind, Setting

AUGMENTATIONS = ("none", "flips", "views", "fundus", "dermoscopy", "phantom")

SETTINGS = (
    Setting(name="dataset_name", kind=Kind.TEXT, default="phantom", shared=True,
            words=("phantom", "chase", "isic", "isic_classification", "medmnist", "datalist", "dicom", "foreign"),
            comment="Data set."),
    Setting(name="dataset_dir", kind=Kind.TEXT, default="", moves=False,
            comment="Folder of the data set in its official layout; the phantom needs none."),
    Setting(name="datalist", kind=Kind.TEXT, default="", moves=False,
            comment="MONAI datalist, a JSON file, of dataset_name: datalist; or in place of a foreign bundle's."),
    Setting(name="medmnist", kind=Kind.TEXT, default="", moves=False,
            comment="Name of the set, of dataset_name: medmnist. Empty: the only npz file in dataset_dir."),
    Setting(name="foreign", kind=Kind.TEXT, default="", moves=False,
            comment="Folder of somebody else's bundle whose model forgets, of dataset_name: foreign. Empty: none."),
    Setting(name="trust_foreign", kind=Kind.TEXT, default="",
            comment="Digest of that bundle, sha256:..., if its configs hold code that was read and may run."),
    Setting(name="patient_from", kind=Kind.TEXT, default="", moves=False,
            comment="Where patient ids come from, if the bundle's data list has none: a regular expression on file"
            " names with one group, or a CSV file with the columns image and patient_id."),
    Setting(name="fold_models", kind=Kind.PLACES, default="", moves=False,
            comment="Fold models of a foreign bundle that are there already, one a fold, in their order. Empty: none."),
    Setting(name="fold_lists", kind=Kind.TEXT, default="", moves=False,
            comment="JSON file that says whom each of them lacks, as nnU-Net's splits_final.json."),
    Setting(name="task", kind=Kind.TEXT, default="segmentation", shared=True,
            words=("segmentation", "multiclass_segmentation", "multilabel_segmentation", "classification"),
            comment="What the network answers."),
    Setting(name="observer", kind=Kind.WHOLE, default=1, least=1, most=2, shared=True,
            comment="Observer whose vessel masks of CHASE_DB1 are used."),
    Setting(name="phantom_seed", kind=Kind.WHOLE, default=0, least=0, limit=SEEDS, shared=True,
            comment="Seed from which the synthetic patients are drawn."),
    Setting(name="phantom_patients", kind=Kind.WHOLE, default=None, least=1, limit=10_000, optional=True, shared=True,
            comment="Number of synthetic training patients. null: 40."),
    Setting(name="download", kind=Kind.FLAG, default=False, moves=False,
            comment="Whether the data set may be fetched, where its source allows it."),
    Setting(name="image_size", kind=Kind.SIZE, default=64, least=1, limit=16_384, unit="pixels", optional=True,
            shared=True, comment="Height and width to which images are resized; or a list, one length per axis. null:"
            " each image as it is, in patches."),
    Setting(name="patch_size", kind=Kind.SIZE, default=None, least=1, limit=4_096, unit="pixels", optional=True,
            shared=True, comment="Patches on which a network is trained; whole images are answered by a sliding window."
            " null: whole images."),
    Setting(name="patch_overlap", kind=Kind.NUMBER, default=0.25, least=0, below=1, shared=True,
            comment="Share of a patch by which two neighbouring windows overlap."),
    Setting(name="normalise", kind=Kind.TEXT, default="half", words=("half", "zscore", "none"), shared=True,
            comment="Intensities: (x - 0.5) / 0.5, zero mean and unit deviation per image, or as they are."),
    Setting(name="cache", kind=Kind.TEXT, default="memory", words=("memory", "disk", "none"), moves=False,
            comment="Where prepared images are kept; disk is the private folder of the run."),
    Setting(name="split_seed", kind=Kind.WHOLE, default=0, least=0, limit=SEEDS, shared=True,
            comment="Seed of the first split by patient, which is recorded beside the model."),
    Setting(name="validation_share", kind=Kind.NUMBER, default=0.2, least=0, below=1, shared=True,
            comment="Share of the patients for selection and validation, where the data set prescribes no split."),
    Setting(name="test_share", kind=Kind.NUMBER, default=0.2, least=0, below=1, shared=True,
            comment="Share of the patients for testing, where the data set prescribes no split."),
    Setting(name="guard_share", kind=Kind.NUMBER, default=0.0, least=0, below=1, shared=True,
            comment="Share of the patients whose images are in no other set; their labels are not used."),
    Setting(name="folds", kind=Kind.WHOLE, default="auto", least=0, words=("auto",), shared=True,
            comment="Folds of the training patients, each left out by a fold teacher; auto: as recorded, or a patient"
                    " each, at most 10. 0: none."),
    Setting(name="near_duplicates", kind=Kind.FLAG, default=True, moves=False,
            comment="Whether look-alikes of forget images in other sets are listed; every image is read once."),
    Setting(name="eval_batch_size", kind=Kind.WHOLE, default=16, least=1, limit=BATCHES, moves=False,
            comment="Images per forward pass without gradient."),
)  # fmt: skip
