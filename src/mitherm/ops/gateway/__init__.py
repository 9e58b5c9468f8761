"""Readings go on to brokers, databases and files."""
