#!/bin/sh
# Restores a backup into a compose project whose store is empty, and starts it:
# deploy/restore.sh FOLDER docker compose --file docker-compose.yml
# If Redis is empty, too, the script restores streams and outboxes; if only the store is, both stay, and the ledger reads
# their later events. The ledger decides: a copy behind its checkpoints is removed again, unless --older follows FOLDER.
# shellcheck disable=SC2086 # unquoted variables are several words
set -eu
cd "$(dirname "$0")/.."
fail() { echo "restore: $*" >&2; exit 1; }

from=${1:?"name a folder: deploy/restore.sh FOLDER docker compose --file docker-compose.yml"}
shift
older=
if [ "$1" = --older ]; then older=$1; shift; fi
compose=$*
[ -f "$from/manifest" ] || fail "$from holds no backup: name one with FROM="
(cd "$from" && sha256sum manifest checkpoints.txt redis.tar ledger.dump outbox/* | cmp -s - SHA256SUMS) ||
    fail "$from differs from its SHA256SUMS: take another backup. 'cd $from && sha256sum --check SHA256SUMS' names the files"
position=$(sed -n 's/^position //p' "$from/manifest")
head=$(sed -n 's/^head //p' "$from/manifest")
parties=
for party in $($compose config --services | grep -E '^(supplier|datacenter|planner)-' | sort); do
    if [ -f "$from/outbox/$party.db" ]; then
        parties="$parties $party"
        continue
    fi
    case $party in
        planner-*) ;; # a version without planners made the backup
        *) fail "$from has no outbox of $party: it is of another deployment" ;;
    esac
done
ask() { $compose exec -T postgres psql --no-psqlrc --username=postgres --dbname=ledger -qAtc "$1" </dev/null; }

$compose up --detach postgres
left=60
until $compose exec -T postgres pg_isready --quiet --host=127.0.0.1 --username=postgres </dev/null; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || fail "PostgreSQL does not answer: see '$compose logs postgres'"
    sleep 1
done
if [ -n "$(ask "SELECT to_regclass('public.head')")" ] && [ "$(ask "SELECT max(batch) FROM head")" != 0 ]; then
    fail "the store holds events, which would be lost. Back it up, then empty it: '$compose down'," \
        "'docker volume rm ${COMPOSE_PROJECT_NAME:-waferline}_postgres'"
fi
$compose stop $($compose config --services | grep -v -x postgres)

# a private server, as no user of the deployment may delete a stream
# shellcheck disable=SC2016 # it expands in the container
server='redis-server --dir /data --port 0 --unixsocket /tmp/redis --save "" --appendonly yes --daemonize yes \
        --logfile /tmp/log >/dev/null
    ask() { redis-cli -s /tmp/redis --raw "$@" </dev/null; }
    left=600  # it reads its files
    until [ "$(ask PING 2>/dev/null)" = PONG ]; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || { cat /tmp/log >&2; exit 1; }
        sleep 0.2
    done'
# shellcheck disable=SC2016
keys=$($compose run --rm --no-deps -T redis sh -euc "$server"'; ask DBSIZE; ask SHUTDOWN' </dev/null) ||
    fail "Redis does not start with the files in its volume: see above"
streams=kept
[ "$keys" != 0 ] || streams=lost
for party in $parties; do
    $compose run --rm --no-deps -T --entrypoint python "$party" -c "$(cat deploy/outbox.py)" put $streams <"$from/outbox/$party.db"
done
# shellcheck disable=SC2016
$compose run --rm --no-deps -T --entrypoint sh ledger -euc '
    cat >/tmp/copied
    here=/var/lib/waferline/checkpoints.txt
    if [ -s "$here" ] && [ -n "$1" ]; then
        aside=$here.$(date -u +%Y-%m-%dT%H%M%SZ)
        mv "$here" "$aside"
        echo "checkpoints: the previous ones are in $aside in the volume of the ledger"
    fi
    [ -s "$here" ] || cp /tmp/copied "$here"
    head -c "$(wc -c </tmp/copied)" "$here" | cmp -s - /tmp/copied || {
        echo "restore: $here in the volume of the ledger does not begin with those of the backup: take another backup," \
            "or give up the batches that these checkpoints sealed: OLDER=1" >&2
        exit 1
    }' - "$older" <"$from/checkpoints.txt"
if [ "$streams" = lost ]; then
    $compose run --rm --no-deps -T redis sh -euc 'rm -rf /data/copied; mkdir /data/copied; tar -C /data/copied -xf -
        rm -rf /data/appendonlydir; mv /data/copied/appendonlydir /data; rmdir /data/copied' <"$from/redis.tar"
else
    # the ledger publishes the verdicts and postings of the restored store anew
    # shellcheck disable=SC2016
    $compose run --rm --no-deps -T redis sh -euc "$server"'
        ask --scan --pattern "wafers:*" | grep -v -E ":(supply|demand|plan):" | while read -r stream; do ask DEL "$stream" >/dev/null; done
        ask SHUTDOWN' </dev/null
fi
$compose exec -T postgres pg_restore --username=postgres --dbname=ledger --role=ledger --no-owner --no-privileges --clean --if-exists \
    --single-transaction --exit-on-error <"$from/ledger.dump" || fail "the store is unchanged: nothing was restored"
[ "$(ask "SELECT encode(hash, 'hex') FROM head")" = "$head" ] || fail "the store is not at the head of the manifest"

$compose up --detach ledger
ledger=$($compose ps --quiet ledger)
left=120
until [ "$(docker inspect --format '{{.State.Health.Status}}' "$ledger")" = healthy ]; do
    left=$((left - 1))
    if [ "$(docker inspect --format '{{.RestartCount}}' "$ledger")" -gt 0 ] || [ "$left" -le 0 ]; then
        $compose stop ledger
        ask 'DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION pg_database_owner' 2>/dev/null
        docker logs "$ledger" 2>&1 | sed -n 's/.*"log":"service_stopped","reason":"\([^"]*\)".*/the ledger: \1/p' | tail -n 1 >&2
        fail "the ledger refuses it, so the store is empty again. Take a newer backup; if this is the newest, give up" \
            "the events after batch $position that are not in Redis: OLDER=1"
    fi
    sleep 1
done
$compose up --detach
deploy/healthy.sh $compose
echo "restored: batch $position, head $head"
