"""Queries to a stack, running or at rest."""
