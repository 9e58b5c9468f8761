"""Keys of units: made, read, proved, put back, taken over from files and from the account."""
