"""What a request costs beside retraining, the released schedule and fine-tuning: `make bench`."""
