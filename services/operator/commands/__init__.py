"""The commands of `waferline`."""
