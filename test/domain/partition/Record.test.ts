import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"
import * as Record from "../../../src/domain/partition/Record.ts"
import { isWellFormed, messageOf } from "../messages.ts"

const records: ReadonlyArray<Record.Record> = [
  { _tag: "Opened", clientId: "a", cleanStart: false, expiryInterval: 60 },
  { _tag: "Queued", message: messageOf("hello"), targets: [{ clientId: "a", qos: 2, retain: false }] },
  { _tag: "Ended", clientId: "ä\u{1f980}" }
]

const segment = Record.join(records.map(Record.encode))

describe("a segment", () => {
  it("holds each record behind its length in four bytes", () => {
    const [first] = records.map(Record.encode)
    assert.strictEqual(Buffer.from(segment).readUInt32BE(0), first!.length)
    assert.deepStrictEqual(segment.subarray(4, 4 + first!.length), Buffer.from(first!))
    assert.strictEqual(
      segment.length,
      records.reduce((sum, record) => sum + Record.joinedSize(Record.encode(record)), 0)
    )
  })

  it("gives its records back in order, none when it is empty", () => {
    assert.deepStrictEqual(Record.split(segment), Result.succeed(records))
    assert.deepStrictEqual(Record.split(new Uint8Array()), Result.succeed([]))
  })

  it("that lies inside a larger buffer is read in its bounds", () => {
    const larger = Buffer.alloc(segment.length + 20, 0xff)
    larger.set(segment, 10)
    assert.deepStrictEqual(Record.split(larger.subarray(10, 10 + segment.length)), Result.succeed(records))
  })

  it("that is cut short anywhere but between records is refused, with the place", () => {
    const ends = new Set([0])
    for (const record of records) ends.add(Math.max(...ends) + Record.joinedSize(Record.encode(record)))
    for (let length = 0; length < segment.length; length++) {
      const read = Record.split(segment.subarray(0, length))
      assert.strictEqual(Result.isSuccess(read), ends.has(length), `${length} bytes`)
      if (Result.isFailure(read)) assert.isTrue(ends.has(read.failure.offset))
    }
  })

  it("with a length beyond its end is refused", () => {
    const bad = Buffer.from(segment)
    bad.writeUInt32BE(0xffff_ffff, 0)
    const read = Record.split(bad)
    assert.isTrue(Result.isFailure(read) && read.failure.offset === 0 && read.failure.detail === "cut short")
  })

  it.prop(
    "of any bytes is records or a named refusal, never a defect",
    [Schema.Array(Schema.Literals([0, 1, 2, 4, 8, 0x41, 0x7f, 0x80, 0xff]))],
    ([bytes]) => {
      const framed = Record.join([Uint8Array.from(bytes)])
      for (const input of [Uint8Array.from(bytes), framed]) {
        const read = Record.split(input)
        assert.isTrue(Result.isSuccess(read) || read.failure._tag === "CorruptSegment")
      }
    }
  )

  it.prop(
    "with one byte changed is records or a named refusal, never a defect",
    [Schema.Natural, Schema.Natural],
    ([at, value]) => {
      const bad = Buffer.from(segment)
      bad[at % bad.length] = value % 256
      const read = Record.split(bad)
      assert.isTrue(Result.isSuccess(read) || read.failure._tag === "CorruptSegment")
    }
  )
})

it.prop(
  "a record of any content comes back as it was",
  [Arbitrary.filter(Arbitrary.schema(Record.Record), isWellFormed)],
  ([record]) => {
    assert.deepStrictEqual(Record.split(Record.join([Record.encode(record)])), Result.succeed([record]))
  }
)
