"""Firmness of a commit: its grades from the least to the most certain (EDIFACT code list 4017)."""

from typing import Literal, get_args

Firmness = Literal["planned", "material", "manufacturing", "firm", "immediate"]
FIRMNESS: tuple[Firmness, ...] = get_args(Firmness)
