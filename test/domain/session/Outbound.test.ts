import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { size } from "../../../src/domain/Message.ts"
import * as Outbound from "../../../src/domain/session/Outbound.ts"
import { messageOf } from "../messages.ts"

const noExpiry = (delivery: Outbound.Delivery): never => assert.fail(`sequence ${delivery.sequence} expired`)

/** Offers messages, ready to be sent, and returns their deliveries. */
const offer = (o: Outbound.Outbound, count: number, qos: 1 | 2 = 1): ReadonlyArray<Outbound.Delivery> => {
  const offered = Array.from({ length: count }, (_, i) => Outbound.offer(o, messageOf(`${i}`), qos, false, undefined))
  Outbound.markReady(o, o.tail)
  return offered
}

const sendAll = (o: Outbound.Outbound, now = 0): ReadonlyArray<Outbound.Delivery> => {
  const sent: Array<Outbound.Delivery> = []
  for (let d = Outbound.next(o, now, noExpiry); d !== undefined; d = Outbound.next(o, now, noExpiry)) {
    Outbound.isResend(o, d)
    sent.push(d)
  }
  return sent
}

const sequences = (deliveries: Iterable<Outbound.Delivery>) => Array.from(deliveries, ({ sequence }) => sequence)

describe("the sending half of a session", () => {
  it("sends in order and never more than the window [MQTT-3.3.4-9]", () => {
    const o = Outbound.make(3)
    const offered = offer(o, 5)
    assert.deepStrictEqual(sequences(sendAll(o)), [0, 1, 2])
    Outbound.complete(o, offered[1]!)
    assert.deepStrictEqual(sequences(sendAll(o)), [3])
    Outbound.complete(o, offered[0]!)
    assert.deepStrictEqual(sequences(sendAll(o)), [4])
  })

  it("sends nothing that is not safe yet", () => {
    const o = Outbound.make(10)
    for (let i = 0; i < 3; i++) Outbound.offer(o, messageOf("x"), 1, false, undefined)
    assert.deepStrictEqual(sendAll(o), [])
    Outbound.markReady(o, 2)
    assert.deepStrictEqual(sequences(sendAll(o)), [0, 1])
    Outbound.markReady(o, 1)
    assert.deepStrictEqual(sendAll(o), [])
  })

  it("sends what is unfinished again, in order, under the same identifiers, with DUP [MQTT-4.4.0-1]", () => {
    const o = Outbound.make(3)
    const offered = offer(o, 5)
    const first = sendAll(o)
    Outbound.complete(o, offered[1]!)
    Outbound.resume(o, 10)
    const resent: Array<readonly [number, boolean]> = []
    for (let d = Outbound.next(o, 0, noExpiry); d !== undefined; d = Outbound.next(o, 0, noExpiry)) {
      resent.push([d.packetId, Outbound.isResend(o, d)])
    }
    assert.deepStrictEqual(resent, [
      [first[0]!.packetId, true],
      [first[2]!.packetId, true],
      [4, false],
      [5, false]
    ])
  })

  it("hands what expired before its first sending to whoever asked, and sees the rest through", () => {
    const o = Outbound.make(2)
    for (const expiresAt of [10, 10, 30, 10]) Outbound.offer(o, messageOf("x", { expiresAt }), 1, false, undefined)
    Outbound.markReady(o, o.tail)
    const begun = Outbound.next(o, 5, noExpiry)!
    Outbound.isResend(o, begun)
    const expired: Array<Outbound.Delivery> = []
    const drop = (delivery: Outbound.Delivery): void => {
      expired.push(delivery)
      Outbound.complete(o, delivery)
    }
    assert.strictEqual(Outbound.next(o, 20, drop)?.sequence, 2)
    assert.deepStrictEqual(sequences(expired), [1])
    Outbound.expireAll(o, 20, drop)
    assert.deepStrictEqual(sequences(expired), [1, 3])
    assert.deepStrictEqual(sequences(Outbound.deliveries(o)), [0, 2])
  })

  it("finds a delivery by its identifier only while it is in flight on this connection", () => {
    const o = Outbound.make(2)
    const offered = offer(o, 3)
    assert.isUndefined(Outbound.find(o, 1))
    sendAll(o)
    assert.strictEqual(Outbound.find(o, 1), offered[0])
    assert.strictEqual(Outbound.find(o, 2), offered[1])
    assert.isUndefined(Outbound.find(o, 3))
    assert.isUndefined(Outbound.find(o, 65_535))
    Outbound.complete(o, offered[0]!)
    assert.isUndefined(Outbound.find(o, 1))
    Outbound.resume(o, 2)
    assert.isUndefined(Outbound.find(o, 2))
  })

  it("uses identifiers 1 to 65,535 round and round, and never one that is in flight", () => {
    const o = Outbound.make(70_000)
    const stuck = offer(o, 1)[0]!
    sendAll(o)
    for (let i = 1; i < 65_535; i++) {
      const [delivery] = offer(o, 1)
      sendAll(o)
      Outbound.complete(o, delivery!)
    }
    const [next] = offer(o, 1)
    assert.strictEqual(next!.packetId, stuck.packetId)
    assert.deepStrictEqual(sendAll(o), [], "the identifier is still in use")
    Outbound.complete(o, stuck)
    assert.deepStrictEqual(sendAll(o), [next!])
    assert.strictEqual(Outbound.find(o, 1), next)
  })

  it("comes back from its marks with the holes where they were", () => {
    const o = Outbound.make(20)
    const offered = offer(o, 20, 2)
    sendAll(o)
    for (const i of [0, 1, 5, 11]) Outbound.complete(o, offered[i]!)
    Outbound.release(offered[3]!)
    const copy = Outbound.restore(o, 20)
    for (const { message, qos, retain, sequence, stage } of Outbound.deliveries(o)) {
      Outbound.put(copy, message, qos, retain, undefined, sequence, stage)
    }
    assert.deepStrictEqual([...Outbound.deliveries(copy)], [...Outbound.deliveries(o)])
    assert.deepInclude(copy, { size: o.size, bytes: o.bytes, head: o.head, tail: o.tail, attempted: o.attempted })
    assert.deepStrictEqual(sequences(sendAll(copy)), sequences(Outbound.deliveries(o)))
  })
})

const Step = Schema.Union([
  Schema.TaggedStruct("Offer", { qos: Schema.Literals([1, 2]), lifetime: Schema.Literals([5, 50, 1_000_000]) }),
  Schema.TaggedStruct("MarkReady", {}),
  Schema.TaggedStruct("Send", {}),
  Schema.TaggedStruct("Complete", { which: Schema.Natural }),
  Schema.TaggedStruct("Release", { which: Schema.Natural }),
  Schema.TaggedStruct("Resume", { window: Schema.Literals([1, 2, 4, 100]) }),
  Schema.TaggedStruct("Wait", { millis: Schema.Literals([1, 10, 100]) }),
  Schema.TaggedStruct("Expire", {}),
  Schema.TaggedStruct("Restore", {})
])

/** What a naive list knows of one message. */
interface Entry {
  readonly delivery: Outbound.Delivery
  readonly expiresAt: number
  isReady: boolean
  isSent: boolean
  wasSent: boolean
  isReleased: boolean
}

it.prop(
  "the sending half of a session does what a plain list does",
  [Schema.Array(Step).pipe(Schema.check(Schema.isMaxLength(150)))],
  ([steps]) => {
    let o = Outbound.make(4)
    let window = 4
    let now = 0
    let list: Array<Entry> = []
    const remove = (delivery: Outbound.Delivery): void => {
      Outbound.complete(o, delivery)
      list = list.filter((entry) => entry.delivery.sequence !== delivery.sequence)
    }
    const isDue = ({ expiresAt, wasSent }: Entry): boolean => expiresAt <= now && !wasSent
    const chosen = (which: number, of: ReadonlyArray<Entry>): Entry | undefined => of[which % Math.max(1, of.length)]

    for (const step of steps) {
      switch (step._tag) {
        case "Offer": {
          const expiresAt = now + step.lifetime
          const message = messageOf("payload", { expiresAt })
          const delivery = Outbound.offer(o, message, step.qos, false, undefined)
          list.push({ delivery, expiresAt, isReady: false, isSent: false, wasSent: false, isReleased: false })
          break
        }
        case "MarkReady":
          Outbound.markReady(o, o.tail)
          for (const entry of list) entry.isReady = true
          break
        case "Send": {
          const expired: Array<number> = []
          const sent = Outbound.next(o, now, (delivery) => {
            expired.push(delivery.sequence)
            remove(delivery)
          })
          const waiting = list.filter(({ isReady, isSent }) => isReady && !isSent)
          const expected = list.filter(({ isSent }) => isSent).length < window ? waiting[0] : undefined
          assert.strictEqual(sent?.sequence, expected?.delivery.sequence)
          assert.isFalse(expected !== undefined && isDue(expected))
          if (expected === undefined || sent === undefined) break
          assert.strictEqual(sent.packetId, expected.delivery.packetId)
          assert.strictEqual(sent.stage === Outbound.Stage.Release, expected.isReleased)
          if (!expected.isReleased) assert.strictEqual(Outbound.isResend(o, sent), expected.wasSent)
          expected.isSent = true
          expected.wasSent = true
          break
        }
        case "Complete": {
          const entry = chosen(
            step.which,
            list.filter(({ isSent }) => isSent)
          )
          if (entry === undefined) break
          const found = Outbound.find(o, entry.delivery.packetId)
          assert.strictEqual(found?.sequence, entry.delivery.sequence)
          remove(found!)
          break
        }
        case "Release": {
          const entry = chosen(
            step.which,
            list.filter(({ isSent, delivery }) => isSent && delivery.qos === 2)
          )
          if (entry === undefined) break
          Outbound.release(Outbound.find(o, entry.delivery.packetId)!)
          entry.isReleased = true
          break
        }
        case "Resume":
          window = step.window
          Outbound.resume(o, window)
          for (const entry of list) entry.isSent = false
          break
        case "Wait":
          now += step.millis
          break
        case "Expire": {
          const due = list.filter(isDue).map(({ delivery }) => delivery.sequence)
          const expired: Array<number> = []
          Outbound.expireAll(o, now, (delivery) => {
            expired.push(delivery.sequence)
            remove(delivery)
          })
          assert.deepStrictEqual(expired, due)
          break
        }
        case "Restore": {
          const copy = Outbound.restore(o, window)
          for (const { message, qos, retain, sequence, stage } of Outbound.deliveries(o)) {
            Outbound.put(copy, message, qos, retain, undefined, sequence, stage)
          }
          o = copy
          for (const entry of list) {
            entry.isReady = true
            entry.isSent = false
          }
          break
        }
      }
      const held = [...Outbound.deliveries(o)]
      assert.deepStrictEqual(
        sequences(held),
        list.map(({ delivery }) => delivery.sequence)
      )
      const inFlight = list.filter(({ isSent }) => isSent)
      assert.strictEqual(o.inFlight, inFlight.length)
      assert.strictEqual(new Set(inFlight.map(({ delivery }) => delivery.packetId)).size, inFlight.length)
      assert.strictEqual(o.size, list.length)
      assert.strictEqual(
        o.bytes,
        held.reduce((sum, { message }) => sum + size(message), 0)
      )
      assert.isTrue(o.head <= o.next && o.next <= o.ready && o.ready <= o.tail, JSON.stringify({ ...o, ring: null }))
    }
  },
  { arbitrary: { runs: 300 } }
)
