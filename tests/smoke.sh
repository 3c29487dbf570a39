#!/usr/bin/env bash
# A new user's first minutes: install as a package and as an editable checkout, start
# with the example configuration, talk with the example clients, stop.
set -euo pipefail
cd "$(dirname "$0")/.."
source_tree=$PWD
scratch=$(mktemp -d)
server= backend=
trap 'kill $server $backend 2>/dev/null || true; rm -rf "$scratch"' EXIT
# The configuration names no store, so it is in the state directory: not the user's own.
unset STATE_DIRECTORY
export XDG_STATE_HOME=$scratch/state

# Says hello when everybody is there to hear it.
hello() {
    for _ in $(seq 300); do
        [ ! -e "$scratch/all-here" ] || break
        sleep 0.1
    done
    echo "hello from the $1"
}

# Names the members of the bridge, in the order of the alphabet.
members='
import json
from urllib.request import urlopen
with urlopen("http://127.0.0.1:18080/chats/1") as answer:
    print(*sorted(user["username"] for user in json.load(answer)["users"]))'

# Loads the page with all that it names.
page='
import re
from urllib.request import urlopen
host = "http://127.0.0.1:18080"
with urlopen(host) as answer:
    named = re.findall(rb"=\"(/web/[^\"]+)\"", answer.read())
assert len(named) > 10, named
for path in named:
    assert urlopen(host + path.decode()).read(), path'

try() {
    local environment=$scratch/$1
    shift
    "${PYTHON:-python3.11}" -m venv "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check "$@"
    cd "$scratch"
    # The example's ports may be taken by a server that somebody runs here.
    sed -e 's/6780/16780/; s/8989/18989/; s/8099/18099/; s/:8080/:18080/; s/:8090/:18090/
        s/:1234/:2234/' \
        "$source_tree/config.example.json" > config.json
    "$environment/bin/twistd" -n --pidfile= chatmux --config config.json --check
    "$environment/bin/twistd" -n --pidfile= chatmux --config config.json > log 2>&1 &
    server=$!
    for _ in $(seq 100); do
        ! grep -q 'listening on .*webtalk.public' log || break
        sleep 0.1
    done
    local examples=$source_tree/examples python=$environment/bin/python
    "$python" -c "$page" || { echo "smoke: the page is not whole"; exit 1; }
    "$python" "$examples/webtalk_site.py" --listen 127.0.0.1:18000 \
        --private 127.0.0.1:22344 --public ws://127.0.0.1:22345/webtalk \
        > backend.out 2>&1 &
    backend=$!
    for _ in $(seq 100); do
        ! grep -q '^http:' backend.out || break
        sleep 0.1
    done
    rm -f all-here
    hello relay |
        MULTICHAT_SECRET=change-me "$python" "$examples/multichat_client.py" \
            --client relay --wait 3 --address 127.0.0.1:16780 > relay.out &
    local relay=$!
    hello web |
        "$python" "$examples/machat_websocket.py" --client web --room lounge --wait 3 \
            --address 127.0.0.1:18099 > web.out &
    local web=$!
    hello globe |
        "$python" "$examples/globes_client.py" --client globe --wait 3 \
            --address 127.0.0.1:18080 > globe.out &
    local globe=$!
    hello page |
        "$python" "$source_tree/tests/smoke_page.py" http://127.0.0.1:18000/ > page.out &
    local page=$!
    hello terminal |
        "$python" "$examples/machat_tcp.py" --client terminal --room lounge --wait 3 \
            --address 127.0.0.1:18989 > terminal.out &
    local terminal=$!
    for _ in $(seq 100); do
        [ "$("$python" -c "$members")" != 'globe relay terminal web' ] || break
        sleep 0.1
    done
    # The page is no member; it should be there, too.
    sleep 1
    touch all-here
    wait "$relay"
    wait "$web"
    wait "$globe"
    wait "$terminal"
    wait "$page" || { cat backend.out log; exit 1; }
    for heard in relay.out web.out globe.out terminal.out page.out; do
        for said in relay web globe terminal page; do
            [ "$heard" = relay.out ] && [ "$said" = relay ] ||
                grep -q "hello from the $said" "$heard" ||
                { echo "smoke: $said is missing in $heard"; cat "$heard" log; exit 1; }
        done
    done
    for heard in 'relay.out:[webtalk] ' web.out:webtalk: 'globe.out:webtalk: ' \
        terminal.out:webtalk:; do
        grep -qxF "${heard#*:}hello from the page" "${heard%%:*}" ||
            { echo "smoke: not from webtalk in $heard"; cat "${heard%%:*}"; exit 1; }
    done
    kill "$backend"
    wait "$backend" || true
    backend=
    kill "$server"
    wait "$server" || { echo "smoke: exit status $?"; cat log; exit 1; }
    server=
    ! grep -q Traceback log || { cat log; exit 1; }
    [ -f "$XDG_STATE_HOME/chatmux/chatmux.db" ] || { echo "smoke: no store"; exit 1; }
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
