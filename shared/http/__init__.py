"""Requests and responses: access, queries, answers, problems, OpenAPI."""
