"""DICOM folders: series found by their headers, read by ITK, with masks as NIfTI files or DICOM segmentations."""
