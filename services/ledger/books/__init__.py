"""What an event posts, and the hash chain over batches; pure."""
