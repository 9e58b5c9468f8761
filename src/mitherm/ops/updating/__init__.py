"""From what runs on a unit to what is wanted on it: plan, guard, transfer, verify."""
