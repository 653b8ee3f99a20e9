"""Formats of an export; importing this loads none of their writers."""

from typing import Literal

Format = Literal["hledger", "jsonl", "parquet"]
AnyFormat = Literal["hledger", "jsonl", "parquet", "xlsx"]
"""A workbook holds the views of a stack, the others its record."""
