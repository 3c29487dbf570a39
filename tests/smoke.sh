#!/usr/bin/env bash
# A new user's first minutes: install as a package and as an editable checkout, start
# with the example configuration, talk with the example clients, stop.
set -euo pipefail
cd "$(dirname "$0")/.."
source_tree=$PWD
scratch=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$scratch"' EXIT

try() {
    local environment=$scratch/$1
    shift
    "${PYTHON:-python3.11}" -m venv "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check "$@"
    cd "$scratch"
    # The example's ports may be taken by a server that somebody runs here.
    sed -e 's/6780/16780/; s/8989/18989/; s/8099/18099/' \
        "$source_tree/config.example.json" > config.json
    "$environment/bin/twistd" -n --pidfile= chatmux --config config.json --check
    "$environment/bin/twistd" -n --pidfile= chatmux --config config.json > log 2>&1 &
    server=$!
    for _ in $(seq 100); do
        ! grep -q 'listening on .*machat.ws' log || break
        sleep 0.1
    done
    local examples=$source_tree/examples python=$environment/bin/python
    (sleep 1; echo 'hello from the relay') |
        "$python" "$examples/multichat_client.py" --client relay --wait 3 \
            --address 127.0.0.1:16780 --secret change-me > relay.out &
    local relay=$!
    (sleep 1; echo 'hello from the web') |
        "$python" "$examples/machat_websocket.py" --client web --room lounge --wait 3 \
            --address 127.0.0.1:18099 > web.out &
    local web=$!
    (sleep 1; echo 'hello from the terminal') |
        "$python" "$examples/machat_tcp.py" --client terminal --room lounge --wait 3 \
            --address 127.0.0.1:18989 > terminal.out
    wait "$relay" "$web"
    for heard in relay.out web.out terminal.out; do
        for said in relay web terminal; do
            [ "$heard" = relay.out ] && [ "$said" = relay ] ||
                grep -q "hello from the $said" "$heard" ||
                { echo "smoke: $said is missing in $heard"; cat "$heard" log; exit 1; }
        done
    done
    kill "$server"
    wait "$server" || { echo "smoke: exit status $?"; cat log; exit 1; }
    server=
    ! grep -q Traceback log || { cat log; exit 1; }
    cd "$source_tree"
}

# A copy, so that building leaves nothing in the checkout.
mkdir "$scratch/copy"
git ls-files -z --cached --others --exclude-standard |
    xargs -0 cp --parents -t "$scratch/copy"
try package "$scratch/copy"
echo "smoke: pip install . works"
try editable --editable "$scratch/copy"
echo "smoke: pip install -e . works"
