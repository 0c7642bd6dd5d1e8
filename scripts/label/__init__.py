"""What MONAI Label's server starts: training on its own images, and the workflows that its clients ask for."""
