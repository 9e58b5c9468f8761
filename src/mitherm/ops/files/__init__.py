"""Firmware files: the library, where they come from, what they are."""
