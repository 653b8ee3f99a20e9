"""The published contracts as documents: JSON Schemas, AsyncAPI, and the pages of events and alerts."""
