"""The local target: real servers as supervised processes, one network namespace each."""
