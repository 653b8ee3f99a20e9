"""The operator: the `waferline` command line, which puts the services together and asks them."""
