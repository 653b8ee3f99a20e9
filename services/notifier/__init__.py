"""Notifier: alerts of the stream in, messages by e-mail, webhook or chat out, by the rules of a file."""
