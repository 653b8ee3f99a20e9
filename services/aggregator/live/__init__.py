"""Loops, locks, threads and streams of the aggregator."""
