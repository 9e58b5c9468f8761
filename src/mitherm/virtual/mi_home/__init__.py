"""The vendor's app and account, as far as units notice them."""
