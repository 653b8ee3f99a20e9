#!/bin/sh
# PostgreSQL over TLS. It refuses a key that others can read, and a mounted secret is as readable as its file: copy it.
# As the command of the image: sh /usr/local/share/waferline/tls.sh
set -eu

keys=${PGKEYS:-/tmp/postgres-tls}
umask 077
mkdir -p "$keys"
cp "${WAFERLINE_TLS_DIR:-/run/secrets/tls}/postgres.crt" "${WAFERLINE_TLS_DIR:-/run/secrets/tls}/postgres.key" "$keys"

# the network needs TLS and a password; the image makes the databases over the socket
printf '%s\n' 'local all all trust' 'hostssl all all all scram-sha-256' >"$keys/pg_hba.conf"

# the image's entry point changes to another user, which must be able to read them
[ "$(id -u)" -ne 0 ] || chown -R postgres:postgres "$keys"

exec "${PGENTRY:-docker-entrypoint.sh}" postgres \
    -c ssl=on -c ssl_min_protocol_version=TLSv1.3 \
    -c "ssl_cert_file=$keys/postgres.crt" -c "ssl_key_file=$keys/postgres.key" -c "hba_file=$keys/pg_hba.conf" "$@"
