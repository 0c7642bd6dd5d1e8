"""What somebody with the released weights may try: each takes a network and gives back a changed copy."""
