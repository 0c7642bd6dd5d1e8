"""A folder of images to masks or to a table of class probabilities."""

from scripts.settings.groups.limits import BATCHES
from scripts.settings.setting import Kind, Setting

SETTINGS = (
    Setting(name="checkpoint", kind=Kind.TEXT, default="$@model_dir + '/' + @model_name", moves=False,
            comment="File of the weights, such as release/student.pt of a run."),
    Setting(name="output_ext", kind=Kind.TEXT, default="", words=(".png", ".nii.gz", ".nii", ""), moves=False,
            comment="Type of a mask. Empty: .png for pictures, .nii.gz for volumes."),
    Setting(name="output_postfix", kind=Kind.TEXT, default="mask", moves=False,
            comment="A mask is called by its image's name, an underscore and this."),
    Setting(name="output_file", kind=Kind.TEXT, default="predictions.csv", moves=False, comment="Name of the table."),
    Setting(name="threshold", kind=Kind.NUMBER, default=0.5, above=0, below=1, moves=False,
            comment="Probability from which a pixel belongs to the mask."),
    Setting(name="inference_batch", kind=Kind.WHOLE, default=1, least=1, limit=BATCHES, moves=False,
            comment="Images per forward pass."),
)  # fmt: skip
