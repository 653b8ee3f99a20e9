#!/bin/sh
# Plays the reference programme in containers of a project of its own, prints its balances, and removes everything
# again: deploy/demo.sh docker compose --file ... WAFERLINE_UNTIL, WAFERLINE_VARIANT and WAFERLINE_SEED choose the run.
set -eu

folder=$(mktemp -d)
export COMPOSE_PROJECT_NAME=waferline-demo WAFERLINE_SECRETS="$folder"
export WAFERLINE_SCENARIO=/opt/waferline/app/scenarios/stargate-2026.yaml WAFERLINE_TRUST_RECORDED=1
for port in $(grep -oh 'WAFERLINE_[A-Z0-9_]*_PORT' docker-compose.yml deploy/programmes/stargate/compose.yml | sort -u); do
    export "$port=0"
done

end() {
    "$@" --profile demo down --volumes --timeout 5 >"$folder/compose.log" 2>&1 || cat "$folder/compose.log" >&2
    rm -rf "$folder"
}
trap 'end "$@"' EXIT
trap 'exit 130' INT TERM

docker run --rm --network none --user "$(id -u):$(id -g)" --volume "$folder:/secrets" \
    "waferline/operator:$WAFERLINE_VERSION" secrets --to /secrets --play >"$folder/secrets.log"
echo "Redis, PostgreSQL, ledger, aggregator, and the parties of the programme start in containers ..."
"$@" up --detach >"$folder/up.log" 2>&1 || { cat "$folder/up.log" >&2; exit 1; }
"$@" --profile demo run --rm --no-deps -T demo
