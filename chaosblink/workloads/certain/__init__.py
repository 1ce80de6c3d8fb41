"""Per protocol: which failures prove that an operation did not happen. Everything else is unknown."""
