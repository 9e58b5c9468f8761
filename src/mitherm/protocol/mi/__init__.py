"""Xiaomi's authentication: registration, login, what a unit tells of itself."""
