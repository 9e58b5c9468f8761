"""Durable files: vault, journal, inventory, image library, settings."""
