// Bundles the command and the two library entries into dist/, and writes their type declarations.
// The command carries its dependencies (it starts five times faster so); the libraries leave them to their user.
import { execFileSync } from "node:child_process"
import { chmod, rm } from "node:fs/promises"
import { build } from "esbuild"

const shared = { bundle: true, platform: "node", format: "esm", target: "node20", sourcemap: true, logLevel: "warning" }

await rm("dist", { recursive: true, force: true })
await build({
  ...shared,
  entryPoints: { mqttzoo: "src/cli/mqttzoo.ts" },
  outdir: "dist",
  // A native addon cannot be bundled.
  external: ["lmdb"],
  minifySyntax: true,
  banner: { js: "#!/usr/bin/env node" }
})
await chmod("dist/mqttzoo.js", 0o755)
