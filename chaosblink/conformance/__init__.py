"""Conformance: what a healthy platform must be, tried on the live platform and written down as verdicts."""
