"""What leaves the hospital: the commit of a run, and the export of its model."""
