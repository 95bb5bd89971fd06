import { assert, describe, it } from "@effect/vitest"
import { keyOfFlag, sources } from "../../../src/domain/config/Flags.ts"
import * as Key from "../../../src/domain/config/Key.ts"

describe("flags", () => {
  it("with a name of their own set keys that exist", () => {
    for (const key of Object.values(keyOfFlag)) assert.isTrue(Key.byName.has(key), key)
  })

  it("win over --set, whose value may hold further equals signs", () => {
    const given = sources(["id=a=b", "listeners.tcp.port=1"], { port: "2" })
    assert.deepStrictEqual(given, {
      sources: [
        { kind: "text", name: "flag --set", key: "id", value: "a=b", secret: false },
        { kind: "text", name: "flag --set", key: "listeners.tcp.port", value: "1", secret: false },
        { kind: "text", name: "flag --port", key: "listeners.tcp.port", value: "2", secret: false }
      ],
      problems: []
    })
  })

  it("--set without key or equals sign is refused", () => {
    assert.deepStrictEqual(
      sources(["id", "=1"], {}).problems.map((problem) => problem.complaint),
      [`"id" is not of the form key=value`, `"=1" is not of the form key=value`]
    )
  })
})
