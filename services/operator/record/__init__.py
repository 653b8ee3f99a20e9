"""The record of a stack: its store, tapes, exports, checkpoints and proof."""
