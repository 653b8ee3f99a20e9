"""Terms of the wire that options and settings share; importing them loads no model."""

from typing import Literal, get_args

Firmness = Literal["planned", "material", "manufacturing", "firm", "immediate"]
FIRMNESS: tuple[Firmness, ...] = get_args(Firmness)
"""Grades of a commit from the least to the most certain (EDIFACT code list 4017)."""
