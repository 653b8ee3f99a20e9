"""Signed checkpoints: chain heads that are kept outside the store."""
