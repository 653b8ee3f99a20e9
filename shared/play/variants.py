"""Variants of the reference programme; importing them loads no scenario."""

from typing import Literal

Variant = Literal["announced", "loi_headline"]
VariantName = Literal["announced", "loi_headline", "announced_sites_only"]
"""A variant, or an earlier name of one."""


def variant_named(name: VariantName) -> Variant:
    """Return the variant of a name."""
    return "announced" if name == "announced_sites_only" else name
