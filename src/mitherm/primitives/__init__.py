"""Pure helpers: checksums, cryptography, secrets. No clock, no I/O."""
