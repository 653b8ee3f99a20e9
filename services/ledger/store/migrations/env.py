"""The script that alembic runs: the migrations, in the connection and transaction of `migrating`."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
