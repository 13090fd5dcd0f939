# What `make demo` runs: a mock feed on a free port, a look at its prices, a verdict on its order; then the suite
# of scenarios, each with a feed of its own.
set -eu

ready=$(mktemp -d)/feed.json
wsctl serve --port 0 --rate 5 --ready-file "$ready" &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; rm -rf "$(dirname "$ready")"' EXIT

while [ ! -e "$ready" ]; do
    kill -0 "$server" || exit 1
    sleep 0.1
done
url=$(sed 's/.*"url": "\([^"]*\)".*/\1/' "$ready")

echo "\$ wsctl subscribe BTC/USDT ETH/USDT SOL/USDT --duration 5s"
wsctl subscribe BTC/USDT ETH/USDT SOL/USDT --url "$url" --duration 5s --format table
echo
echo "\$ wsctl ordering-check BTC/USDT ETH/USDT SOL/USDT --duration 3s"
wsctl ordering-check BTC/USDT ETH/USDT SOL/USDT --url "$url" --duration 3s
echo
echo "\$ wsctl run"
wsctl run
