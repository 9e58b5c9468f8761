"""The radio: scanning and connecting through bleak or anything shaped like it."""
