"""Procedures: the owner's commands, carried out as a person would from outside the cluster, each with its time."""
