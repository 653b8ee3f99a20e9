-- The ledger's role and database: the role owns that database and can enter no other. The image of PostgreSQL runs this
-- as the superuser when it makes its data (/docker-entrypoint-initdb.d); by hand: psql -f init.sql. Running it again
-- changes only the password, to the content of its file.

\set ON_ERROR_STOP on
\set password `cat "${WAFERLINE_LEDGER_PASSWORD_FILE:-/run/secrets/postgres-ledger}"`

-- otherwise a failing statement is logged, with the password in it
SET log_min_error_statement = panic;
SET log_statement = none;

-- an empty password would refuse everybody without a reason
SELECT :'password' = '' AS missing \gset
\if :missing
    \warn 'init.sql: /run/secrets/postgres-ledger is empty or missing: make it with "waferline secrets"'
    DO $$ BEGIN RAISE EXCEPTION 'the role ledger has no password'; END $$;
\endif

SELECT 'CREATE ROLE ledger' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ledger') \gexec
ALTER ROLE ledger LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'password';

SELECT $$CREATE DATABASE ledger OWNER ledger TEMPLATE template0 ENCODING 'UTF8'$$
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'ledger') \gexec

-- by default every role may enter every database and make temporary tables in it
REVOKE ALL ON DATABASE ledger, postgres, template1 FROM PUBLIC;
