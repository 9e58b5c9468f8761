"""Naming the cause of a failure: evidence is collected once, pure rules judge it, each finding comes with its cure."""
