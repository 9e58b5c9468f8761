"""Pure protocols: codecs, client procedures and device-side state machines. No clock, no I/O."""
