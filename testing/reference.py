"""The reference programme, as its file has it."""

from pathlib import Path

PROGRAMME_PATH = Path(__file__).parents[1] / "scenarios" / "stargate.yaml"
