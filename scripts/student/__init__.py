"""The student: a copy of the teacher with a low-rank adapter that can be scaled, merged, saved and taken back.

Nothing is imported here: PEFT costs seconds, and only the workflows that adapt may pay for it.
"""
