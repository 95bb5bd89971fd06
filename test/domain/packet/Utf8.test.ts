import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import * as Utf8 from "../../../src/domain/packet/Utf8.ts"
import { Utf8String } from "../../../src/domain/packet/Property.ts"

const decode = (bytes: Buffer) => Utf8.decode(bytes, 0, bytes.length)

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** What the platform's own decoder says of the bytes. */
const decodeStrictly = (bytes: Uint8Array): string | undefined => {
  try {
    const text = strict.decode(bytes)
    return text.includes("\0") ? undefined : text
  } catch {
    return undefined
  }
}

describe("a UTF-8 Encoded String", () => {
  it("keeps a byte order mark [MQTT-1.5.4-3]", () => {
    assert.strictEqual(decode(Buffer.from([0xef, 0xbb, 0xbf, 0x61])), "\ufeffa")
  })

  for (const [name, bytes] of [
    ["U+0000 [MQTT-1.5.4-2]", [0x61, 0x00]],
    ["U+0000 in two bytes", [0xc0, 0x80]],
    ["a surrogate [MQTT-1.5.4-1]", [0xed, 0xa0, 0x80]],
    ["a pair of surrogates", [0xed, 0xa0, 0x81, 0xed, 0xb0, 0x80]],
    ["an overlong form of two bytes", [0xc1, 0xbf]],
    ["an overlong form of three bytes", [0xe0, 0x9f, 0xbf]],
    ["an overlong form of four bytes", [0xf0, 0x8f, 0xbf, 0xbf]],
    ["a code point above U+10FFFF", [0xf4, 0x90, 0x80, 0x80]],
    ["a lead byte that leads nothing", [0xf8, 0x88, 0x80, 0x80]],
    ["a continuation byte alone", [0x80]],
    ["a sequence that is cut", [0xe2, 0x82]]
  ] as const) {
    it(`is ill-formed with ${name}`, () => assert.isUndefined(decode(Buffer.from(bytes))))
  }

  it("may have any other code point, at the edges of each length", () => {
    for (const code of [1, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfffe, 0xffff, 0x1_0000, 0x10_ffff]) {
      assert.strictEqual(decode(Buffer.from(String.fromCodePoint(code))), String.fromCodePoint(code))
    }
  })

  it("is judged as the platform's own decoder does, for all sequences of two bytes and their neighbours", () => {
    const judgedOtherwise: Array<string> = []
    for (let lead = 0x7f; lead < 0x100; lead++) {
      for (let second = 0; second < 0x100; second++) {
        for (const rest of [[], [0x80], [0xbf, 0x80]]) {
          const bytes = Buffer.from([lead, second, ...rest])
          if (decode(bytes) !== decodeStrictly(bytes)) judgedOtherwise.push(bytes.toString("hex"))
        }
      }
    }
    assert.deepStrictEqual(judgedOtherwise, [])
  })

  it.prop(
    "is judged as the platform's own decoder does, for any bytes",
    [Arbitrary.schema(Schema.Uint8Array)],
    ([bytes]) => {
      assert.strictEqual(decode(Buffer.from(bytes)), decodeStrictly(bytes))
    }
  )

  it.prop("is written in the bytes that its length says", [Utf8String], ([text]) => {
    const buffer = Buffer.alloc(Utf8.byteLength(text) + 1)
    assert.strictEqual(Utf8.write(buffer, 0, text), buffer.length - 1)
    assert.strictEqual(Utf8.decode(buffer, 0, buffer.length - 1), text)
  })
})
