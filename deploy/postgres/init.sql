-- The ledger's role and database: it owns that one, and is let into no other. Run as the superuser, by the image of
-- PostgreSQL when its data is made (/docker-entrypoint-initdb.d), or by hand. Running it again changes nothing but the
-- password, which becomes what the file says: psql -f init.sql

\set ON_ERROR_STOP on
\set password `cat "${WAFERLINE_LEDGER_PASSWORD_FILE:-/run/secrets/postgres-ledger}"`

-- else a statement that fails stands in the server's log, and the password in it
SET log_min_error_statement = panic;
SET log_statement = none;

-- an empty one would let nobody in, and not say why
SELECT :'password' = '' AS missing \gset
\if :missing
    \warn 'init.sql: /run/secrets/postgres-ledger is empty or not there: make it with "waferline secrets"'
    DO $$ BEGIN RAISE EXCEPTION 'the role ledger has no password'; END $$;
\endif

SELECT 'CREATE ROLE ledger' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ledger') \gexec
ALTER ROLE ledger LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'password';

SELECT $$CREATE DATABASE ledger OWNER ledger TEMPLATE template0 ENCODING 'UTF8'$$
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'ledger') \gexec

-- by default everyone may enter every database, and make temporary tables in it
REVOKE ALL ON DATABASE ledger, postgres, template1 FROM PUBLIC;
