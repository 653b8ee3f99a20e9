"""The generator of every published document: contracts, API examples, and the reference pages."""
