"""A radio of bumble's virtual controllers."""
