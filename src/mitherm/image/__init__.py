"""Firmware files: parse, judge, recognise, sign, build."""
