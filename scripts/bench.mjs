// Bundles the benchmark (bench/main.ts, its load generator and the Aedes server) and runs it with the arguments given.
import { build } from "esbuild"

const outdir = new URL("../node_modules/.cache/bench/", import.meta.url)
await build({
  entryPoints: { main: "bench/main.ts", load: "bench/load/main.ts", aedes: "bench/aedes.ts" },
  outdir: decodeURIComponent(outdir.pathname),
  bundle: true,
  packages: "external",
  platform: "node",
  format: "esm",
  target: "node20",
  sourcemap: "inline",
  outExtension: { ".js": ".mjs" },
  logLevel: "warning"
})
await import(new URL("main.mjs", outdir).href)
