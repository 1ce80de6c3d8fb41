"""Polls the platform beside a run and writes down who leads, who answers and what it costs."""
