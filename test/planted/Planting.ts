/** Builds the program with a planted bug in it, and lets it look for the bug itself. */
import * as esbuild from "esbuild"
import { execFile } from "node:child_process"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { join, relative } from "node:path"
import { promisify } from "node:util"
import type { PlantedBug } from "./PlantedBugs.ts"

const run = promisify(execFile)
const root = process.cwd()

/** Where a bug was found. */
export interface Found {
  /** The first seed that found it. */
  readonly seed: number
  /** The promises that were broken. */
  readonly promises: ReadonlyArray<string>
}

/** A program with a bug. */
export interface Program {
  /** Looks for it in so many seeds; undefined: none of them finds it. */
  readonly hunt: (from: number, count: number) => Promise<Found | undefined>
  readonly dispose: () => Promise<void>
}

/** Replaces the one place; it must be there, and once. */
const planted = (source: string, { name, file, replace, by }: PlantedBug): string => {
  const parts = source.split(replace)
  if (parts.length !== 2) throw new Error(`${name}: the place to change is in ${file} ${parts.length - 1} times`)
  return parts.join(by)
}

/** Builds the program with the bug in it, or as it is. */
export const build = async (bug?: PlantedBug): Promise<Program> => {
  // Inside the project, so that the bundle finds its packages.
  const directory = await mkdtemp(join(root, "node_modules", ".planted-"))
  const dispose = () => rm(directory, { recursive: true, force: true })
  let isPlanted = false
  try {
    await esbuild.build({
      entryPoints: { mqttzoo: "src/cli/mqttzoo.ts" },
      outdir: directory,
      bundle: true,
      splitting: true,
      platform: "node",
      format: "esm",
      target: "node20",
      packages: "external",
      logLevel: "warning",
      outExtension: { ".js": ".mjs" },
      plugins: [
        {
          name: "plant",
          setup: ({ onLoad }) => {
            onLoad({ filter: /\.ts$/ }, async ({ path }) => {
              const source = await readFile(path, "utf8")
              if (relative(root, path) !== bug?.file) return { contents: source, loader: "ts" }
              isPlanted = true
              return { contents: planted(source, bug), loader: "ts" }
            })
          }
        }
      ]
    })
    if (bug !== undefined && !isPlanted) throw new Error(`${bug.name}: ${bug.file} is not part of the program`)
  } catch (error) {
    await dispose()
    throw error
  }
  return { hunt: (from, count) => firstFailure(join(directory, "mqttzoo.mjs"), from, count), dispose }
}

const firstFailure = async (program: string, from: number, count: number): Promise<Found | undefined> => {
  const args = [program, "sim", "--from", `${from}`, "--count", `${count}`, "--workers", "1", "--json"]
  const { stdout } = await run(process.execPath, args, { maxBuffer: 2 ** 28 }).catch(
    (error: { readonly code: number; readonly stdout: string; readonly stderr: string }) => {
      // 1 says that a promise was broken, which is what is hoped for.
      if (error.code !== 1) throw new Error(error.stderr, { cause: error })
      return error
    }
  )
  for (const line of stdout.trim().split("\n")) {
    const { seed, violations } = JSON.parse(line) as {
      readonly seed: number
      readonly violations: ReadonlyArray<{ readonly promise: string }>
    }
    if (violations.length > 0) return { seed, promises: [...new Set(violations.map(({ promise }) => promise))].sort() }
  }
  return undefined
}
