// Bundles the command and the library entries into dist/, and writes the libraries' type declarations.
// The command carries its dependencies (it starts five times faster so); the libraries leave them to their user.
import { execFile } from "node:child_process"
import { chmod, rm } from "node:fs/promises"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { build } from "esbuild"

const shared = {
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  sourcemap: true,
  logLevel: "warning",
  outdir: "dist"
}

const command = () =>
  build({
    ...shared,
    entryPoints: { mqttzoo: "src/cli/mqttzoo.ts" },
    // What only some commands need is loaded by them: the simulation.
    splitting: true,
    chunkNames: "mqttzoo-[name]",
    // A native addon cannot be bundled.
    external: ["lmdb"],
    // Less to parse at every start; names stay, for stack traces.
    minifySyntax: true,
    minifyWhitespace: true,
    // What is CommonJS among them loads Node's own modules by `require`, which a module does not have.
    banner: {
      js: [
        "#!/usr/bin/env node",
        'import { createRequire as makeRequire } from "node:module"',
        "const require = makeRequire(import.meta.url)"
      ].join("\n")
    }
  })

const libraries = () =>
  build({ ...shared, entryPoints: { broker: "src/broker.ts", client: "src/client.ts" }, packages: "external" })

const declarations = () => {
  const compiler = dirname(createRequire(import.meta.url).resolve("typescript/package.json"))
  return promisify(execFile)(process.execPath, [join(compiler, "bin", "tsc"), "--project", "tsconfig.build.json"])
}

await rm("dist/types", { recursive: true, force: true })
await Promise.all([command(), libraries(), declarations()])
await chmod("dist/mqttzoo.js", 0o755)
