#!/usr/bin/env bash
# The README's two commands as on a fresh machine: the last commit, an empty folder, an empty npm cache.
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null

folder=$(mktemp -d)
server=''
finish() {
  # npm start is a tree of processes; setsid made it a group of its own.
  [ -z "$server" ] || kill -- "-$server" 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT

git clone --quiet . "$folder/clone"
cd "$folder/clone"
export npm_config_cache="$folder/npm-cache"

FREE_PORT="const s = require('node:net').createServer().listen(0, '127.0.0.1', () => {
  process.stdout.write(String(s.address().port));
  s.close();
});"
PORT=$(node -e "$FREE_PORT")
export PORT
printf '=== npm ci && npm start\n'
setsid bash -c 'npm ci && npm start' &
server=$!
for _ in $(seq 300); do
  if curl --silent --fail --output /dev/null "http://127.0.0.1:$PORT/languages"; then
    answered=yes
    break
  fi
  kill -0 "$server" 2>/dev/null || break
  sleep 1
done
if [ "${answered:-no}" != yes ]; then
  printf 'the books API did not answer on port %s\n' "$PORT"
  exit 1
fi
printf '=== the books API answers on port %s\n' "$PORT"
kill -- "-$server"
wait "$server" || true
server=''

printf '=== npm ci && npm test\n'
rm -rf node_modules
npm ci
npm test
printf '=== both commands pass\n'
