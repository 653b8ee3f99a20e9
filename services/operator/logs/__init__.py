"""The logs of a stack: read, summed up, checked."""
