import { readdir, readFile, writeFile } from "node:fs/promises"
import { assert, describe, test, vi } from "vitest"
import type { feature, Kinds } from "./Conformance.ts"
import { statementCounts311, statements311 } from "./statements/mqtt-3.1.1.ts"
import { statementCounts5, statements5 } from "./statements/mqtt-5.0.ts"
import { table, testsOf, type ListedTest, type Standard } from "./Table.ts"

const listed = vi.hoisted(() => ({ file: "", v5: [] as Array<ListedTest>, v311: [] as Array<ListedTest> }))

// The test files of the suite are imported once more, here only to say what they declare.
vi.mock(import("./Conformance.ts"), () => {
  const into =
    (tests: Array<ListedTest>): Kinds["v5"] & Kinds["v311"] =>
    (statements: ReadonlyArray<string>, name: string) => {
      tests.push({ file: listed.file, name, statements })
    }
  const v5 = into(listed.v5)
  const v311 = into(listed.v311)
  const list: typeof feature = (_, declare) =>
    declare({
      v5,
      v311,
      both: (statements, name, body) => {
        v5(statements.v5, name, body)
        v311(statements.v311, name, body)
      }
    })
  return { feature: list }
})

const page = new URL("../../docs/conformance.md", import.meta.url)

const files = (await readdir(new URL(".", import.meta.url))).filter((file) => file.endsWith(".test.ts")).toSorted()
for (const file of files.filter((file) => file !== "Table.test.ts")) {
  listed.file = file
  await import(`./${file}`)
}

const standards: ReadonlyArray<Standard & { readonly counts: Readonly<Record<string, number>> }> = [
  { name: "MQTT 5.0", statements: statements5, tests: listed.v5, counts: statementCounts5 },
  { name: "MQTT 3.1.1", statements: statements311, tests: listed.v311, counts: statementCounts311 }
]

describe("The conformance table", () => {
  for (const standard of standards) {
    test(`has every numbered statement of ${standard.name}`, () => {
      const numbers = Object.entries(standard.counts).flatMap(([section, count]) => {
        const first = standard.name === "MQTT 5.0" && section === "2.2.1" ? 2 : 1
        return Array.from({ length: count }, (_, i) => `${section}-${first + i}`)
      })
      assert.sameMembers(Object.keys(standard.statements), numbers)
    })

    test(`has a test or a reason, and not both, for every statement of ${standard.name}`, () => {
      const wrong = Object.entries(standard.statements)
        .filter(([number, { untested }]) => testsOf(standard, number).length > 0 === (untested !== undefined))
        .map(([number]) => number)
      assert.deepEqual(wrong, [])
    })

    test(`names each test of ${standard.name} once`, () => {
      const names = standard.tests.map(({ file, name }) => `${file}: ${name}`)
      assert.strictEqual(new Set(names).size, names.length)
      assert.isNotEmpty(names)
    })
  }

  test("is docs/conformance.md; UPDATE_DOCS=1 writes it", async () => {
    const drawn = table(standards)
    if (process.env["UPDATE_DOCS"] === "1") await writeFile(page, drawn)
    assert.strictEqual(await readFile(page, "utf8"), drawn, "docs/conformance.md is stale")
  })
})
