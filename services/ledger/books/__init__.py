"""The postings of each event, the progress of each source, and the hash chain over batches; pure."""
