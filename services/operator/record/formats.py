"""Formats of an export; importing this loads none of their writers."""

from typing import Literal

Format = Literal["hledger", "jsonl", "parquet"]
