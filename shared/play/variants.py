"""Variants of the reference programme; importing them loads no scenario."""

from typing import Literal

Variant = Literal["announced_sites_only", "loi_headline"]
