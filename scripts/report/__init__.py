"""What people look at: pictures, curves, and the summary of a run."""
