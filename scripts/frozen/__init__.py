"""What depends on no trainable weight is computed once."""
