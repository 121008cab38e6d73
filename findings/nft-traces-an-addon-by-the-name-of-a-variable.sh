#!/usr/bin/env bash
# @vercel/nft 1.11.5 traces a native addon that an ES module requires by `createRequire` of a namespace import only if the namespace is
# called `module` in the source. A library whose names were shortened by a minifier loses its addon from the trace, without a
# warning, and fails only where it is deployed.
# Expected: a tracer follows the import of `node:module`, whatever the variable is called.
# Seen: the addon's package is traced for `module`, and not for `m`; both programs run.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "private": true, "type": "module" }' >package.json
npm install --silent --no-audit --no-fund --save-exact @vercel/nft@1.11.5 @napi-rs/simple-git-linux-x64-gnu@0.1.22
for name in module m; do
  cat >"$name.mjs" <<JS
import * as $name from 'node:module'
const require = $name.createRequire(import.meta.url)
console.log(typeof require('@napi-rs/simple-git-linux-x64-gnu').Repository)
JS
done
cat >trace.mjs <<'JS'
import { nodeFileTrace } from '@vercel/nft'
for (const name of ['module', 'm']) {
  const { fileList, warnings } = await nodeFileTrace([`${name}.mjs`])
  const addons = [...fileList].filter((file) => file.endsWith('.node')).length
  console.log(`${name}: ${addons} addons traced, ${warnings.size} warnings`)
}
JS
seen="$(node module.mjs && node m.mjs && node trace.mjs)"
echo "$seen"
[ "$seen" = 'function
function
module: 1 addons traced, 0 warnings
m: 0 addons traced, 0 warnings' ]
