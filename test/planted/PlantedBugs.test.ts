import { readFile, writeFile } from "node:fs/promises"
import { afterAll, assert, describe, it } from "vitest"
import { plantedBugs } from "./PlantedBugs.ts"
import { build, type Found } from "./Planting.ts"

/** Within so many seeds of the default plan each bug is found. */
const seeds = 300

const page = new URL("../../docs/simulation.md", import.meta.url)
const [begin, end] = ["<!-- planted bugs -->", "<!-- /planted bugs -->"] as const

/** The rows of the table in the docs, by the name of the bug. */
const rowsOf = (text: string): ReadonlyMap<string, { readonly seed: number }> => {
  const table = text.slice(text.indexOf(begin), text.indexOf(end))
  const rows = [...table.matchAll(/^\| `([^`]+)` *\|.*\| *(\d+) *\|/gm)]
  return new Map(rows.map(([, name, seed]) => [name!, { seed: Number(seed) }]))
}

const rendered = (found: ReadonlyMap<string, Found>): string => {
  const rows = plantedBugs.map(({ name, mistake }) => {
    const { seed, promises } = found.get(name)!
    return `| \`${name}\` | ${mistake} | ${seed} | ${promises.map((promise) => `\`${promise}\``).join(", ")} |`
  })
  return [begin, "", "| bug | the mistake | seed | found as |", "|---|---|---|---|", ...rows, "", end].join("\n")
}

const text = await readFile(page, "utf8")
const rows = rowsOf(text)
const isUpdate = process.env["UPDATE_DOCS"] === "1"

describe("the simulation finds the mistake that", { timeout: 600_000, concurrent: !isUpdate }, () => {
  const found = new Map<string, Found>()

  it.each(plantedBugs)("$mistake ($name)", async (bug) => {
    const program = await build(bug)
    try {
      // The seed that is known for it, so that this takes no longer than it must; any other will do as well.
      const known = isUpdate ? undefined : rows.get(bug.name)?.seed
      const first = known === undefined ? undefined : await program.hunt(known, 1)
      const result = first ?? (await program.hunt(1, seeds))
      assert.isDefined(result, `none of ${seeds} seeds has found it`)
      found.set(bug.name, result!)
    } finally {
      await program.dispose()
    }
  })

  afterAll(async () => {
    if (!isUpdate || found.size < plantedBugs.length) return
    const before = text.slice(0, text.indexOf(begin))
    const after = text.slice(text.indexOf(end) + end.length)
    await writeFile(page, before + rendered(found) + after)
  })
})

describe("the program without a mistake", () => {
  it.skipIf(isUpdate)("fails with none of the seeds that find one", { timeout: 600_000 }, async () => {
    const program = await build()
    try {
      for (const { seed } of new Map([...rows.values()].map((row) => [row.seed, row])).values()) {
        assert.isUndefined(await program.hunt(seed, 1), `seed ${seed}`)
      }
    } finally {
      await program.dispose()
    }
  })
})

describe("the table of planted bugs", () => {
  // While the table is being written, the one that was read is the old one.
  it.skipIf(isUpdate)("has all of them", () => {
    assert.sameMembers(
      [...rows.keys()],
      plantedBugs.map(({ name }) => name)
    )
  })
})
