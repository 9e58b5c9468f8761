"""One module per protocol area; each has AREAS: area name -> judge(document) -> (case name, problem or None)."""
