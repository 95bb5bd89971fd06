import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"

/** What may not be in code that is simulated, by the rule that says so. */
const forbidden: Readonly<Record<string, ReadonlyArray<string>>> = {
  "eslint(no-restricted-globals)": [
    "export const a = setTimeout(() => {}, 1)",
    "export const a = setInterval(() => {}, 1)",
    "export const a = setImmediate(() => {})",
    "queueMicrotask(() => {})",
    "export const a = performance.now()",
    "export const a = crypto.randomUUID()",
    'export const a = fetch("http://localhost")',
    "export const a = process.uptime()",
    'export const a = globalThis["setTimeout"]',
    "export const a = Promise.resolve(1)",
    "export const a = new WeakRef({})",
    "export const a = new FinalizationRegistry(() => {})",
    'export const a = new Intl.Collator("sv")'
  ],
  "eslint(no-restricted-properties)": [
    "export const a = Date.now()",
    "export const a = [1].map(Math.random)",
    "export const a = (b: PromiseLike<number>) => b.then(() => 1)",
    'export const a = ["b"].sort((one, other) => one.localeCompare(other))',
    "export const a = (1_000).toLocaleString()",
    'export const a = new Error("").stack',
    'import { Effect } from "effect"\nexport const a = Effect.runSync(Effect.void)',
    'import { Effect } from "effect"\nexport const a = (b: () => PromiseLike<number>) => Effect.promise(b)'
  ],
  "oxc(no-async-await)": [
    "export const a = async () => 1",
    "export async function* a(b: AsyncIterable<number>) {\n  for await (const c of b) yield c\n}"
  ],
  "node(no-top-level-await)": ['export const a = await import("effect")'],
  "mqttzoo(no-current-date)": ["export const a = new Date()", "export const a = Date()"],
  "eslint(no-restricted-imports)": [
    'export { readFileSync } from "node:fs"',
    'export { createServer } from "node:net"',
    'export { performance } from "node:perf_hooks"',
    'export { open } from "lmdb"'
  ]
}

/** What looks like it, and is allowed. */
const allowed = [
  "export const a = (now: number) => new Date(now).getUTCDay()",
  "export const a = (process: { readonly uptime: () => number }) => process.uptime()",
  'import { Effect } from "effect"\nexport const a = Effect.clockWith(({ currentTimeMillis }) => currentTimeMillis)',
  "export const a = Math.max(1, 2)"
]

const folders = ["src/domain", "src/services", "src/layers/simulation"]

/** The rules that are broken, by file, as `npm run lint` sees files with these texts. */
const lint = async (files: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, ReadonlyArray<string>>> => {
  const project = await mkdtemp(join(tmpdir(), "mqttzoo-lint-"))
  try {
    for (const name of [".oxlintrc.json", "scripts/lint.mjs"]) await cp(name, join(project, name))
    for (const [name, text] of files) {
      await mkdir(dirname(join(project, name)), { recursive: true })
      await writeFile(join(project, name), `${text}\n`)
    }
    const out = await new Promise<string>((done, fail) => {
      execFile(
        process.execPath,
        [resolve("node_modules/oxlint/bin/oxlint"), "--format", "json"],
        { cwd: project, maxBuffer: 2 ** 26 },
        // It ends with 1 when it has found something, and that it shall.
        (error, stdout) => (error === null || error.code === 1 ? done(stdout) : fail(error))
      )
    })
    const { diagnostics } = JSON.parse(out) as { diagnostics: Array<{ filename: string; code: string }> }
    const found = new Map([...files.keys()].map((name) => [name, new Array<string>()]))
    for (const { filename, code } of diagnostics) found.get(filename)!.push(code)
    return found
  } finally {
    await rm(project, { recursive: true })
  }
}

const each = (prefix: string, texts: ReadonlyArray<string>): ReadonlyArray<readonly [string, string]> =>
  folders.flatMap((folder) => texts.map((text, i) => [`${folder}/${prefix}${i}.ts`, text] as const))

describe("lint", () => {
  it("finds each leak out of a simulation in domain, services and the simulated world, and nothing else", async () => {
    const all = Object.entries(forbidden)
    const wrong = new Map(all.flatMap(([rule, texts], at) => each(`${at}-`, texts).map(([name]) => [name, rule])))
    const right = each("allowed-", allowed)
    const found = await lint(new Map([...all.flatMap(([, texts], at) => each(`${at}-`, texts)), ...right]))
    for (const [name, rule] of wrong) assert.include(found.get(name)!, rule, name)
    for (const [name, text] of right) assert.deepStrictEqual(found.get(name), [], text)
  })

  it("keeps the layers that meet the real world out of the simulated one", async () => {
    const name = "src/layers/simulation/Planted.ts"
    const found = await lint(new Map([[name, 'export { layer } from "../TransportTcp.ts"']]))
    assert.deepStrictEqual(found.get(name), ["eslint(no-restricted-imports)"])
  })
})
