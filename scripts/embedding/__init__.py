"""A frozen encoder and a linear head, from which a sample is deleted exactly."""
