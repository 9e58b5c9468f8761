"""A radio in the same process."""
