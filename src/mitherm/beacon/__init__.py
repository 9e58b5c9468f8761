"""Advertising formats: decode and encode."""
