import { assert, describe, it } from "@effect/vitest"
import { sourceOf, variables } from "../../../src/domain/config/Environment.ts"
import * as Key from "../../../src/domain/config/Key.ts"

const keysOf = (environment: Record<string, string>) => variables(environment).variables.map((found) => found.key)

const problemsOf = (environment: Record<string, string>) =>
  variables(environment).problems.map(({ source, key, complaint }) =>
    [source, key, complaint].filter((part) => part !== "").join(" ")
  )

describe("environment variables", () => {
  it("have a name for every key, and every key is found by its name", () => {
    for (const key of Key.keys) assert.deepStrictEqual(keysOf({ [Key.variableOf(key)]: "x" }), [key.name])
    assert.strictEqual(Key.variableOf(Key.byName.get("listeners.tcp.port")!), "MQTTZOO_LISTENERS__TCP__PORT")
    assert.strictEqual(
      Key.variableOf(Key.byName.get("limits.maximumPacketSize")!),
      "MQTTZOO_LIMITS__MAXIMUM_PACKET_SIZE"
    )
  })

  it("may be spelt in any case and without the underscores inside a level", () => {
    assert.deepStrictEqual(keysOf({ MQTTZOO_LIMITS__MAXIMUMPACKETSIZE: "1" }), ["limits.maximumPacketSize"])
    assert.deepStrictEqual(keysOf({ MQTTZOO_limits__maximumPacketSize: "1" }), ["limits.maximumPacketSize"])
  })

  it("of other programs, and the one that names the file, are left alone", () => {
    assert.deepStrictEqual(variables({ PATH: "/bin", MQTTZOO_CONFIG: "x.yaml", MQTTZOOM: "1", mqttzoo_id: "1" }), {
      variables: [],
      problems: []
    })
  })

  it("that are misspelt are refused with the one that was meant", () => {
    assert.deepStrictEqual(problemsOf({ MQTTZOO_LISTENER__TCP__PORT: "1" }), [
      "environment MQTTZOO_LISTENER__TCP__PORT is not a known variable; did you mean MQTTZOO_LISTENERS__TCP__PORT?"
    ])
    assert.deepStrictEqual(problemsOf({ MQTTZOO_LISTENERS_TCP_PORT: "1" }), [
      "environment MQTTZOO_LISTENERS_TCP_PORT is not a known variable; did you mean MQTTZOO_LISTENERS__TCP__PORT?"
    ])
    assert.deepStrictEqual(problemsOf({ MQTTZOO_CLOUD: "1" }), ["environment MQTTZOO_CLOUD is not a known variable"])
  })

  it("with _FILE behind their name read the value from a file, without its last newline, as a secret", () => {
    const [found] = variables({ MQTTZOO_ID_FILE: "/run/secrets/id" }).variables
    assert.deepStrictEqual(found, {
      kind: "file",
      source: "environment MQTTZOO_ID_FILE",
      key: "id",
      file: "/run/secrets/id"
    })
    assert.deepStrictEqual(sourceOf(found!, "b1\n"), {
      kind: "text",
      name: "environment MQTTZOO_ID_FILE",
      key: "id",
      value: "b1",
      secret: true
    })
  })

  it("may set a key only once", () => {
    assert.deepStrictEqual(problemsOf({ MQTTZOO_ID: "a", MQTTZOO_ID_FILE: "b" }), [
      "environment MQTTZOO_ID_FILE id is also set by environment MQTTZOO_ID; set only one of them"
    ])
  })
})
