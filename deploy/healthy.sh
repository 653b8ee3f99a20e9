#!/bin/sh
# Waits until each container of a compose project is well: deploy/healthy.sh docker compose --file docker-compose.yml
# Names those that are not after five minutes, with their last words, and ends with 1.
set -eu

left_s=300
while :; do
    ill=$(docker inspect --format '{{.Name}} {{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}' \
        $("$@" ps --quiet) | sed 's|^/||' | grep -v -E ' (healthy|running)$' || true)
    [ -n "$ill" ] || { echo "all are well"; exit 0; }
    left_s=$((left_s - 2))
    [ "$left_s" -gt 0 ] || break
    sleep 2
done
echo "$ill" | while read -r name state; do
    echo "$name is $state; its last words:" >&2
    docker logs --tail 5 "$name" 2>&1 | sed 's/^/    /' >&2
done
exit 1
