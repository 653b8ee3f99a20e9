"""The generator of every kept document: contracts, API examples, and the reference pages."""
