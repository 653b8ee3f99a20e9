#!/bin/sh
# Waits until each container of a compose project is well: deploy/healthy.sh docker compose --file docker-compose.yml
# After five minutes it prints those that are not, with their last log lines, and exits with 1.
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
    echo "$name is $state; its last log lines:" >&2
    docker logs --tail 5 "$name" 2>&1 | sed 's/^/    /' >&2
done
exit 1
