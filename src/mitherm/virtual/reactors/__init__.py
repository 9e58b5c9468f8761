"""The unit's side of the protocols."""
