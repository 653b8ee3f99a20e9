#!/bin/sh
# Copies a running compose project into a new folder: deploy/backup.sh FOLDER docker compose --file docker-compose.yml
# The ledger waits meanwhile, and Redis while its files are copied; parties go on taking events. Each copy has what the one
# before it leads to: Redis what the store has read, an outbox what its party has put on Redis. Restored, they go on as one.
# shellcheck disable=SC2086 # what is not quoted is several words
set -eu
cd "$(dirname "$0")/.."
umask 077
fail() { echo "backup: $1" >&2; exit 1; }

to=${1:?"name a folder: deploy/backup.sh FOLDER docker compose --file docker-compose.yml"}
shift
compose=$*
[ ! -e "$to" ] || fail "$to is there already: name another with TO="
making=$to.making
[ ! -e "$making" ] || fail "$making is there: another backup is being made, or one was broken off; then remove it"
for service in ledger redis; do
    container=$($compose ps --quiet "$service")
    case $(docker inspect --format '{{.State.Running}} {{.State.Paused}}' $container 2>/dev/null) in
        "true false") ;;
        "true true") fail "$service is paused: another backup runs, or one was killed; then '$compose unpause $service'" ;;
        *) fail "$service does not run: 'make up' starts it" ;;
    esac
done

trap 'rm -rf "$making"' EXIT
trap 'exit 1' INT TERM
mkdir -p "$making/outbox"
said=$making/said
quietly() { "$@" >"$said" 2>&1 || { cat "$said" >&2; return 1; }; }
parties=$($compose config --services | grep -E '^(supplier|datacenter)-' | sort)

# before the store: it must not be behind them
$compose exec -T ledger cat /var/lib/waferline/checkpoints.txt </dev/null >"$making/checkpoints.txt" ||
    fail "the ledger's checkpoints cannot be read"

# whatever ends this, both go on
trap '$compose unpause redis >/dev/null 2>&1; $compose unpause ledger >/dev/null 2>&1; rm -rf "$making"' EXIT
made=$(date -u +%Y-%m-%dT%H:%M:%SZ)
quietly $compose pause ledger || fail "the ledger cannot be paused"
quietly $compose pause redis || fail "Redis cannot be paused"
$compose run --rm --no-deps -T redis tar -C /data -cf - appendonlydir </dev/null >"$making/redis.tar" 2>"$said" ||
    { cat "$said" >&2; fail "the files of Redis cannot be copied"; }
quietly $compose unpause redis || fail "Redis is paused: '$compose unpause redis'"
for party in $parties; do
    $compose exec -T "$party" python -c "$(cat deploy/outbox.py)" copy </dev/null >"$making/outbox/$party.db" ||
        fail "the outbox of $party cannot be copied: start what does not run with 'make up'"
done
$compose exec -T postgres pg_dump --username=postgres --format=custom --no-owner --no-privileges ledger \
    </dev/null >"$making/ledger.dump" &
dumping=$!
# its first bytes come when it sees a state that no longer changes
while [ ! -s "$making/ledger.dump" ] && kill -0 "$dumping" 2>/dev/null; do sleep 0.1; done
quietly $compose unpause ledger || fail "the ledger is paused: '$compose unpause ledger'"
trap 'rm -rf "$making"' EXIT
wait "$dumping" || fail "the store cannot be copied: '$compose logs postgres' says why"

# asked of the copy, not of the ledger, which has gone on: so it can be read
$compose exec -T postgres pg_restore --data-only --table=store --table=head --file=- <"$making/ledger.dump" >"$said" ||
    fail "the copy of the store cannot be read"
{
    echo "version ${WAFERLINE_VERSION:-0.1.0}"
    echo "made $made"
    awk '/^COPY/ { table = $2 }
        /^[0-9]/ && table == "public.store" { print "epoch " $1 }
        /^[0-9]/ && table == "public.head" { print "position " $2; print "head " substr($3, 4) }' "$said"
} >"$making/manifest"
rm "$said"
[ "$(wc -l <"$making/manifest")" -eq 5 ] || fail "the store has no tables yet: 'make up' makes them"
(cd "$making" && sha256sum manifest checkpoints.txt redis.tar ledger.dump outbox/*) >"$making/SHA256SUMS"
mv "$making" "$to"

cat "$to/manifest"
echo "in $to. Secrets are not in it: keep deploy/secrets apart from it, and both where this machine is not."
