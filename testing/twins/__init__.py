"""Naive twins: short, slow implementations that fast code is compared with."""
