"""A payment's story: what happened, what it waits for, what one can do. Pure."""
