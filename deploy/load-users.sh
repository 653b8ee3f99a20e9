#!/bin/sh
# Has the running Redis of a compose project read its users again: deploy/load-users.sh docker compose --file ...
# All connections stay. A Redis whose rights do not allow that yet is restarted; the services wait for it.
set -eu

redis=$("$@" ps --quiet redis 2>/dev/null) || exit 0
[ -n "$redis" ] && [ "$(docker inspect --format '{{.State.Running}}' "$redis")" = true ] || exit 0
# shellcheck disable=SC2016 # the shell in the container expands it
answer=$(docker exec "$redis" sh -c '
    [ ! -e /run/secrets/tls/ca.crt ] || set -- --tls --cacert /run/secrets/tls/ca.crt
    REDISCLI_AUTH=$(cat /run/secrets/redis-health) redis-cli "$@" --user health ACL LOAD 2>&1') || true
case $answer in
OK) ;;
*NOPERM*)
    echo "Redis is restarted, as its users do not allow to load others yet"
    "$@" restart redis
    ;;
*)
    echo "Redis does not load its users: $answer" >&2
    exit 1
    ;;
esac
