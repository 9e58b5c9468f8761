"""Use cases: observe, plan, guard, execute, verify, record. No terminal, no transport."""
