"""Clients that run before, during and after a fault and write down every operation."""
