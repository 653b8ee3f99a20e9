"""This machine: the ports of a stack, and the stacks that run here."""
