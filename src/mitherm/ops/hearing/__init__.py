"""Adverts: what is in the air, and what it tells about each unit."""
