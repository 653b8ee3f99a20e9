"""Documents of planners: sheets read into a neutral document, and the events that a document states."""
