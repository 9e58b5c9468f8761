"""The composition root of the command line and of Python programs: the only floor that knows radios, stores and units that
live in this process at once. Operations get what it puts together, and cannot tell one radio from another.
"""
