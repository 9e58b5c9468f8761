"""The personalities: each plays one firmware family over a `Chip`, byte for byte, defects included."""
