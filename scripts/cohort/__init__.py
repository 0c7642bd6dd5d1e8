"""Request and records to forget, retain, guard, selection, validation and test sets, by patient."""

from scripts.cohort.cohort import SETS, Cohort
from scripts.cohort.near_duplicates import near_duplicates, with_near_duplicates
from scripts.cohort.resolve import resolve

__all__ = ["SETS", "Cohort", "near_duplicates", "resolve", "with_near_duplicates"]
