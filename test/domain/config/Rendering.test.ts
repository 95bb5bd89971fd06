import { assert, describe, expect, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Yaml from "effect/encoding/Yaml"
import * as Key from "../../../src/domain/config/Key.ts"
import { resolve } from "../../../src/domain/config/Provenance.ts"
import * as Rendering from "../../../src/domain/config/Rendering.ts"
import * as Setting from "../../../src/domain/config/Setting.ts"

const machine = { id: "host-1" }

const given = Result.getOrThrow(
  resolve(
    [
      { kind: "document", name: "file a.yaml", content: { data: { directory: "true" }, log: { level: "none" } } },
      { kind: "text", name: "flag --set", key: "data.directory", value: "a: b # c", secret: false },
      { kind: "text", name: "environment MQTTZOO_ID_FILE", key: "id", value: "hush", secret: true }
    ],
    machine
  )
)

describe("the page about the configuration", () => {
  it("is the one in docs/", async () => {
    await expect(Rendering.page()).toMatchFileSnapshot("../../../docs/configuration.md")
  })
})

describe("the values with their origins", () => {
  it("are a YAML file that reads as the same configuration", () => {
    const again = resolve(
      [{ kind: "document", name: "file b.yaml", content: Yaml.parse(Rendering.originsAsYaml(given.origins)) }],
      machine
    )
    const problem = Result.isFailure(again) ? again.failure.message : ""
    // The hidden value is the one thing that does not come back, and it says so.
    assert.match(problem, /^file b\.yaml: id is "\(hidden\)"; allowed: [^\n]+$/)
    const shown = Result.getOrThrow(
      resolve([{ kind: "document", name: "f", content: { log: { level: "none" } } }], machine)
    )
    const back = resolve(
      [{ kind: "document", name: "g", content: Yaml.parse(Rendering.originsAsYaml(shown.origins)) }],
      machine
    )
    assert.deepStrictEqual(Result.getOrThrow(back).config, shown.config)
  })

  it("are aligned, in the order of the keys, and hide secrets", () => {
    const lines = Rendering.originsAsYaml(given.origins).split("\n")
    assert.deepStrictEqual(lines.slice(0, 6), [
      `id: "(hidden)"                             # environment MQTTZOO_ID_FILE`,
      `listeners:`,
      `  tcp:`,
      `    host: "0.0.0.0"                        # default`,
      `    port: 1883                             # default`,
      `data:`
    ])
    assert.strictEqual(lines[6], `  directory: "a: b # c"                    # flag --set`)
  })

  it("are a list in JSON", () => {
    const list = JSON.parse(Rendering.originsAsJson(given.origins))
    assert.deepStrictEqual(list[0], { key: "id", value: "(hidden)", source: "environment MQTTZOO_ID_FILE" })
    assert.deepStrictEqual(list[2], { key: "listeners.tcp.port", value: 1883, source: "default" })
    assert.strictEqual(list.length, Key.keys.length)
  })
})

/** As much of a JSON Schema as these tests look at. */
interface Node {
  readonly type?: string
  readonly default?: unknown
  readonly additionalProperties?: boolean
  readonly required?: unknown
  readonly properties?: Readonly<Record<string, Node>>
  readonly anyOf?: ReadonlyArray<Node>
  readonly pattern?: string
}

describe("the JSON Schema", () => {
  const nodeAt = (path: ReadonlyArray<string>): Node =>
    path.reduce((node, level) => node.properties![level]!, Rendering.jsonSchema() as Node)

  it("has the bounds, the default and the description of a key", () => {
    assert.deepStrictEqual<unknown>(nodeAt(["listeners", "tcp", "port"]), {
      type: "integer",
      minimum: 0,
      maximum: 65_535,
      description: "The TCP port that the listener binds to; 0 takes any free port.",
      default: 1883
    })
  })

  it("takes a size as a number or with a unit", () => {
    const { anyOf, default: fallback } = nodeAt(["limits", "maximumPacketSize"])
    assert.strictEqual(fallback, "1 MiB")
    assert.deepStrictEqual<unknown>(anyOf?.[0], { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
    const pattern = new RegExp(anyOf?.[1]?.pattern ?? assert.fail("no pattern"), "u")
    assert.isTrue(pattern.test("64 KiB"))
    assert.isFalse(pattern.test("64 kib"))
  })

  it("knows every key, requires none, and allows no other", () => {
    const groups = new Set(Key.keys.flatMap((key) => key.path.map((_, at) => key.path.slice(0, at).join("."))))
    for (const group of groups) {
      const path = group === "" ? [] : group.split(".")
      const node = nodeAt(path)
      assert.deepStrictEqual(Object.keys(node.properties ?? {}), Key.namesBelow(path))
      assert.strictEqual(node.additionalProperties, false)
      assert.isUndefined(node.required)
    }
  })

  it("has a default that the key itself accepts", () => {
    for (const { name, schema, documentation } of Key.keys) {
      if (name === "id") continue
      assert.isTrue(Result.isSuccess(Schema.decodeUnknownResult(schema)(documentation.default)), name)
    }
  })
})

describe("every key", () => {
  it("is documented", () => {
    for (const { name, documentation, schema } of Key.keys) {
      assert.match(documentation.description, /^[A-Z].*\.$/, name)
      assert.deepStrictEqual(Setting.documentationOf(schema), documentation)
    }
  })
})
