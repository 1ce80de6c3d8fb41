"""Carries ZITADEL's events from `eventstore.events2` into Redis lists, and from there to consumers, each event once."""

__version__ = "0.1.0"
