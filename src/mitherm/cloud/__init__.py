"""Over the internet: keys from the owner's account, and firmware from its publishers."""
