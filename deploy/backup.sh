#!/bin/sh
# Copies a running compose project into a new folder: deploy/backup.sh FOLDER docker compose --file docker-compose.yml
# The ledger is paused meanwhile, and Redis while its files are copied; parties go on taking events. The order of the copies
# keeps them consistent: Redis holds all entries that the store has read, an outbox all events that its party has sent.
# shellcheck disable=SC2086 # unquoted variables are several words
set -eu
cd "$(dirname "$0")/.."
umask 077
fail() { echo "backup: $1" >&2; exit 1; }

to=${1:?"name a folder: deploy/backup.sh FOLDER docker compose --file docker-compose.yml"}
shift
compose=$*
[ ! -e "$to" ] || fail "$to exists: name another folder with TO="
making=$to.making
[ ! -e "$making" ] || fail "$making exists: another backup runs, or one was interrupted; in that case remove the folder"
for service in ledger redis; do
    container=$($compose ps --quiet "$service")
    case $(docker inspect --format '{{.State.Running}} {{.State.Paused}}' $container 2>/dev/null) in
        "true false") ;;
        "true true") fail "$service is paused: another backup runs, or one was killed; in that case run '$compose unpause $service'" ;;
        *) fail "$service does not run: start it with 'make up'" ;;
    esac
done

trap 'rm -rf "$making"' EXIT
trap 'exit 1' INT TERM
mkdir -p "$making/outbox"
output=$making/output
quietly() { "$@" >"$output" 2>&1 || { cat "$output" >&2; return 1; }; }
parties=$($compose config --services | grep -E '^(supplier|datacenter|planner)-' | sort)

# before the store, which must not be behind its checkpoints
$compose exec -T ledger cat /var/lib/waferline/checkpoints.txt </dev/null >"$making/checkpoints.txt" ||
    fail "the ledger's checkpoints cannot be read"

# both go on, however this script ends
trap '$compose unpause redis >/dev/null 2>&1; $compose unpause ledger >/dev/null 2>&1; rm -rf "$making"' EXIT
made=$(date -u +%Y-%m-%dT%H:%M:%SZ)
quietly $compose pause ledger || fail "the ledger cannot be paused"
quietly $compose pause redis || fail "Redis cannot be paused"
$compose run --rm --no-deps -T redis tar -C /data -cf - appendonlydir </dev/null >"$making/redis.tar" 2>"$output" ||
    { cat "$output" >&2; fail "the files of Redis cannot be copied"; }
quietly $compose unpause redis || fail "Redis is paused: '$compose unpause redis'"
for party in $parties; do
    $compose exec -T "$party" python -c "$(cat deploy/outbox.py)" copy </dev/null >"$making/outbox/$party.db" ||
        fail "the outbox of $party cannot be copied: start its service with 'make up'"
done
$compose exec -T postgres pg_dump --username=postgres --format=custom --no-owner --no-privileges ledger \
    </dev/null >"$making/ledger.dump" &
dumping=$!
# its first bytes come once it has its snapshot of the database
while [ ! -s "$making/ledger.dump" ] && kill -0 "$dumping" 2>/dev/null; do sleep 0.1; done
quietly $compose unpause ledger || fail "the ledger is paused: '$compose unpause ledger'"
trap 'rm -rf "$making"' EXIT
wait "$dumping" || fail "the store cannot be copied: see '$compose logs postgres'"

# from the copy, as the ledger has gone on; this also proves that the copy can be read
$compose exec -T postgres pg_restore --data-only --table=store --table=head --file=- <"$making/ledger.dump" >"$output" ||
    fail "the copy of the store cannot be read"
{
    echo "version ${WAFERLINE_VERSION:-0.1.0}"
    echo "made $made"
    awk '/^COPY/ { table = $2 }
        /^[0-9]/ && table == "public.store" { print "epoch " $1 }
        /^[0-9]/ && table == "public.head" { print "position " $2; print "head " substr($3, 4) }' "$output"
} >"$making/manifest"
rm "$output"
[ "$(wc -l <"$making/manifest")" -eq 5 ] || fail "the store has no tables yet: run 'make up' first"
(cd "$making" && sha256sum manifest checkpoints.txt redis.tar ledger.dump outbox/*) >"$making/SHA256SUMS"
mv "$making" "$to"

cat "$to/manifest"
echo "backup: $to. It holds no secrets: keep deploy/secrets apart from it, and both away from this machine."
