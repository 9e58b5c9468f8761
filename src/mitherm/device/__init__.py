"""Typed thermometers over a link: identification and sessions."""
