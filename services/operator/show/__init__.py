"""Answers as tables and characters on a terminal."""
