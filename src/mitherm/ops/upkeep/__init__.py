"""A unit in use: its settings, clock and history."""
