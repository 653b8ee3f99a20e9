"""The record taken elsewhere: tapes, exports, proofs, rebuilt states."""
