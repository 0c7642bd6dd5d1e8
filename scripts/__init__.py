"""Run-time code of the unlearning bundle: everything that the configs name."""
