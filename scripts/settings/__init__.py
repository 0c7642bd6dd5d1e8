"""Every setting that a config may hold: name, type, range, unit, default, and how its value is read."""

from scripts.settings.schema import SETTINGS, Setting, nearest_name
from scripts.settings.values import read_value

__all__ = ["SETTINGS", "Setting", "nearest_name", "read_value"]
