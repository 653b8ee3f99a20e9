"""Twins, folds, servers and simulations that tests and benchmarks share."""
