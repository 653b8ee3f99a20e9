#!/bin/bash
# On the first start makes the cluster in PGDATA from POSTGRES_USER, POSTGRES_DB, POSTGRES_PASSWORD_FILE (or
# POSTGRES_PASSWORD) and POSTGRES_INITDB_ARGS, and runs /docker-entrypoint-initdb.d/*.sql and *.sh; then becomes the server.
set -euo pipefail

if [ "${1:-}" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    user=${POSTGRES_USER:-postgres}
    database=${POSTGRES_DB:-$user}
    if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then POSTGRES_PASSWORD=$(<"$POSTGRES_PASSWORD_FILE"); fi
    [ -n "${POSTGRES_PASSWORD:-}" ] || { echo "postgres: set POSTGRES_PASSWORD_FILE, for $user has no password" >&2; exit 1; }
    # made in a side folder, moved when whole: an interrupted start begins again
    making=$PGDATA/.making
    rm -rf "$making"
    # shellcheck disable=SC2086 # these are words
    initdb --pgdata="$making" --username="$user" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") --encoding=UTF8 \
        --auth-local=trust --auth-host=scram-sha-256 ${POSTGRES_INITDB_ARGS:-}
    echo "host all all all scram-sha-256" >>"$making/pg_hba.conf"

    # a private socket, no port: no client sees it half made
    printf -v options '%q ' "${@:2}" -c listen_addresses= -c unix_socket_directories=/tmp
    export PGHOST=/tmp PGUSER=$user PGDATABASE=$database
    pg_ctl --pgdata="$making" --options="$options" --wait --silent start
    [ "$database" = postgres ] || createdb --maintenance-db=postgres "$database"
    for script in /docker-entrypoint-initdb.d/*; do
        case $script in
            *.sql) echo "postgres: $script"; psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --file="$script" ;;
            *.sh) echo "postgres: $script"; if [ -x "$script" ]; then "$script"; else bash "$script"; fi ;;
        esac
    done
    pg_ctl --pgdata="$making" --mode=fast --wait --silent stop
    unset PGHOST PGUSER PGDATABASE
    find "$making" -mindepth 1 -maxdepth 1 ! -name PG_VERSION -exec mv -t "$PGDATA" {} +
    mv "$making/PG_VERSION" "$PGDATA" # last: it marks the cluster as whole
    rmdir "$making"
fi

unset POSTGRES_PASSWORD
exec "$@"
