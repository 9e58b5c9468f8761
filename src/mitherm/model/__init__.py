"""Pure nouns: addresses, keys, versions, models, readings."""
