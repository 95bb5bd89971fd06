import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { fnv1a } from "../../src/domain/Hash.ts"

describe("the hash of a string", () => {
  it("is FNV-1a of 32 bits, by its published values", () => {
    assert.strictEqual(fnv1a(""), 0x811c9dc5)
    assert.strictEqual(fnv1a("a"), 0xe40c292c)
    assert.strictEqual(fnv1a("b"), 0xe70c2de5)
    assert.strictEqual(fnv1a("foobar"), 0xbf9cf968)
  })

  /** The definition, in exact arithmetic. */
  const defined = (s: string): number => {
    let hash = 0x811c9dc5n
    for (const byte of Buffer.from(s)) hash = ((hash ^ BigInt(byte)) * 0x01000193n) & 0xffffffffn
    return Number(hash)
  }

  it("takes characters beyond ASCII as their UTF-8 bytes", () => {
    for (const s of ["é", "a€", "🐟/b", "ünï"]) assert.strictEqual(fnv1a(s), defined(s), s)
  })

  it.prop("is what FNV-1a is defined to be", [Schema.String], ([s]) => assert.strictEqual(fnv1a(s), defined(s)))

  it("spreads client ids over 64 partitions", () => {
    const shapes: ReadonlyArray<(n: number) => string> = [
      (n) => `client-${n}`,
      (n) => `sensor/${String(n).padStart(6, "0")}`,
      (n) => (n * 2_654_435_761).toString(16),
      (n) => `mqttjs_${(n * 40_503).toString(36)}`
    ]
    for (const shape of shapes) {
      const counts = Array.from({ length: 64 }, () => 0)
      for (let n = 0; n < 64_000; n++) {
        const partition = fnv1a(shape(n)) % 64
        counts[partition]! += 1
      }
      assert.isAbove(Math.min(...counts), 800, shape(1))
      assert.isBelow(Math.max(...counts), 1200, shape(1))
    }
  })
})
