"""Keys from the owner's account."""
