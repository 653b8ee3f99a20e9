"""Answers as tables, bars and sparklines on a terminal."""
