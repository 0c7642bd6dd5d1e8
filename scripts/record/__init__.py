"""What a run leaves behind: its folder, its measurements, its times."""
