"""Pools of models that a verdict is read against: originals, retrained and unlearned ones, pair by pair."""
