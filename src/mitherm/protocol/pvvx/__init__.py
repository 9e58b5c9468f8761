"""Commands, settings and records of pvvx firmware."""
