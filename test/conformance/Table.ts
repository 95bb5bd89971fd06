/** Draws `docs/conformance.md`: each statement with the tests that exercise it, or with the reason why there is none. */
import type { Statement } from "./statements/Statement.ts"

/** A test as it was declared. */
export interface ListedTest {
  readonly file: string
  readonly name: string
  /** Numbers of the statements of its version that it exercises. */
  readonly statements: ReadonlyArray<string>
}

/** One standard with its statements and tests. */
export interface Standard {
  readonly name: string
  readonly statements: Readonly<Record<string, Statement>>
  readonly tests: ReadonlyArray<ListedTest>
}

const inOrder = (a: string, b: string): number => {
  const numbersOfB = b.split(/[.-]/)
  for (const [i, part] of a.split(/[.-]/).entries()) {
    const difference = Number(part) - Number(numbersOfB[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** The tests that exercise a statement. */
export const testsOf = ({ tests }: Standard, number: string): ReadonlyArray<ListedTest> =>
  tests.filter(({ statements }) => statements.includes(number))

const cell = (text: string): string => text.replaceAll("|", "\\|")

const link = (file: string): string => `[${file.replace(".test.ts", "")}](../test/conformance/${file})`

/** Tests in a cell: each file once, with the names of its tests. */
const shown = (tests: ReadonlyArray<ListedTest>): string =>
  [...new Set(tests.map(({ file }) => file))]
    .map((file) => {
      const names = tests.filter((test) => test.file === file).map(({ name }) => cell(name))
      return `${link(file)}: ${names.join(" · ")}`
    })
    .join("<br>")

const row = (standard: Standard, number: string, { text, untested }: Statement): string => {
  const tests = testsOf(standard, number)
  const answer = untested === undefined ? shown(tests) : `No test: ${cell(untested)}`
  return `| MQTT-${number} | ${cell(text)} | ${answer} |`
}

const countRow = (standard: Standard): string => {
  const all = Object.values(standard.statements)
  const without = all.filter(({ untested }) => untested !== undefined)
  const client = without.filter(({ untested }) => untested?.startsWith("It binds the client"))
  const cells = [
    standard.name,
    all.length,
    all.length - without.length,
    client.length,
    without.length - client.length,
    standard.tests.length
  ]
  return `| ${cells.join(" | ")} |`
}

const section = (standard: Standard): ReadonlyArray<string> => [
  `## ${standard.name}`,
  "",
  "| Statement | What it asks, in our words | Tests |",
  "| --- | --- | --- |",
  ...Object.entries(standard.statements)
    .toSorted(([a], [b]) => inOrder(a, b))
    .map(([number, statement]) => row(standard, number, statement)),
  ""
]

/** The whole page. */
export const table = (standards: ReadonlyArray<Standard>): string =>
  [
    "# Conformance",
    "",
    "Every normative statement of both standards, with the tests that exercise it against the running program over TCP.",
    "The suite writes this page: `UPDATE_DOCS=1 npx vitest run test/conformance/Table.test.ts`. A test fails when the page",
    "is not what the suite declares, when a statement has neither a test nor a reason, or when it has both.",
    "",
    "| Standard | Statements | Tested | Bind the client | No test for another reason | Tests |",
    "| --- | --- | --- | --- | --- | --- |",
    ...standards.map(countRow),
    "",
    ...standards.flatMap(section)
  ].join("\n")
