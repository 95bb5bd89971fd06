import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { Packet, PubRel, Publish, Subscribe } from "../../../src/domain/packet/Packet.ts"
import { Event } from "../../../src/domain/simulation/History.ts"
import * as Payload from "../../../src/domain/simulation/Payload.ts"
import type * as Plan from "../../../src/domain/simulation/Plan.ts"
import { type BrokerEnd, clientPlan, ScriptedWorld } from "./ScriptedWorld.ts"

const online: Plan.Online = { _tag: "Online", at: 0, cleanStart: false, expiry: 100 }
const offline = (how: Plan.Offline["how"], expiry?: number): Plan.Offline => ({
  _tag: "Offline",
  at: 0,
  how,
  ...(expiry !== undefined && { expiry })
})
const publish = (more: Partial<Plan.Publish> = {}): Plan.Publish => ({
  _tag: "Publish",
  at: 0,
  topic: "t/0",
  qos: 1,
  retain: false,
  bytes: 40,
  alias: false,
  ...more
})
const subscribe = (filter: string, more: Partial<Plan.Subscribe> = {}): Plan.Subscribe => ({
  _tag: "Subscribe",
  at: 0,
  filter,
  qos: 1,
  noLocal: false,
  retainAsPublished: false,
  retainHandling: 0,
  ...more
})

/** The connection of a client that has just gone online. */
const begin = (world: ScriptedWorld, action: Plan.Online = online): BrokerEnd => {
  world.perform(action)
  return world.accepted(false)
}

const publishes = (packets: ReadonlyArray<Packet>) => packets.filter((packet) => packet._tag === "Publish")

/** Which message of the client it is, and whether it is sent again. */
const brief = (packets: ReadonlyArray<Packet>) =>
  packets.map((packet) => {
    if (packet._tag !== "Publish") return packet._tag
    return `${Payload.decode(packet.payload)!.number}${packet.dup ? " again" : ""}`
  })

const idOf = (packet: Packet | undefined) => (packet as Publish | PubRel | Subscribe).packetId

const incoming = (packetId: number, qos: 0 | 1 | 2, more: Partial<Publish> = {}): Publish => ({
  _tag: "Publish",
  topic: "t/0",
  payload: new Uint8Array(Buffer.from("x")),
  qos,
  retain: false,
  dup: false,
  packetId,
  ...more
})

describe("how a model client connects", () => {
  it("says in its CONNECT what the plan says", () => {
    const world = new ScriptedWorld(
      clientPlan({ keepAlive: 5, receiveMaximum: 3, maximumPacketSize: 1000, topicAliasMaximum: 2 })
    )
    const will: Plan.WillPlan = { topic: "wills/c", qos: 1, retain: true, delay: 2, expiry: 3 }
    world.perform({ ...online, cleanStart: true, will })
    assert.deepStrictEqual(world.open().taken(), [
      {
        _tag: "Connect",
        protocolVersion: 5,
        clientId: "c",
        cleanStart: true,
        keepAlive: 5,
        will: {
          topic: "wills/c",
          payload: new Uint8Array(Payload.encode({ publisher: "c", kind: "w", number: 1 }, 0)),
          qos: 1,
          retain: true,
          properties: { willDelayInterval: 2, messageExpiryInterval: 3 }
        },
        properties: { sessionExpiryInterval: 100, receiveMaximum: 3, maximumPacketSize: 1000, topicAliasMaximum: 2 }
      }
    ])
  })

  it("says nothing to a broker of MQTT 3.1.1 that only MQTT 5.0 has", () => {
    const world = new ScriptedWorld(clientPlan({ version: 4, receiveMaximum: 3 }))
    world.perform({ ...online, will: { topic: "wills/c", qos: 0, retain: false, delay: 2 } })
    const end = world.open()
    end.accept(false)
    world.perform(subscribe("t/#", { noLocal: true, retainHandling: 2, identifier: 7 }))
    world.perform(publish({ expiry: 3, alias: true }))
    const withProperties = end.taken().filter((packet) => "properties" in packet && packet.properties !== undefined)
    assert.deepStrictEqual(withProperties, [])
    const asked = world.history.flatMap((event) =>
      event._tag === "Sent" && event.packet._tag === "Subscribe" ? [event.packet] : []
    )
    assert.deepStrictEqual(asked[0]?.subscriptions, [
      { filter: "t/#", qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 }
    ])
  })

  it("starts clean until a CONNACK has come, and then goes on with its session", () => {
    const world = new ScriptedWorld(clientPlan())
    world.perform({ ...online, cleanStart: true })
    const startsClean = (end: BrokerEnd) => {
      const [connect] = end.taken()
      return connect?._tag === "Connect" && connect.cleanStart
    }
    const first = world.open()
    assert.isTrue(startsClean(first))
    first.events.closed("reset")
    const second = world.open()
    assert.isTrue(startsClean(second))
    second.accept(false)
    second.events.closed("reset")
    assert.isFalse(startsClean(world.open()))
  })

  it("starts clean every time when its session ends with the connection", () => {
    const world = new ScriptedWorld(clientPlan({ version: 4 }))
    const end = begin(world, { _tag: "Online", at: 0, cleanStart: true })
    end.events.closed("broker")
    const [connect] = world.open().taken()
    assert.isTrue(connect?._tag === "Connect" && connect.cleanStart)
  })

  it("tries again within three seconds when no connection can be opened, none is accepted, or it is refused", () => {
    const world = new ScriptedWorld(clientPlan())
    world.perform(online)
    world.dials.shift()!.failed()
    const unanswered = world.open()
    world.wait(10)
    assert.deepStrictEqual(unanswered.acts, ["reset"])
    const refused = world.open()
    refused.write({ _tag: "ConnAck", sessionPresent: false, reasonCode: 0x88 })
    refused.events.closed("broker")
    world.accepted(false)
    assert.isTrue(world.client.isSettled)
  })

  it("gives up an attempt that is never answered, and breaks off what comes of it later", () => {
    const world = new ScriptedWorld(clientPlan())
    world.perform(online)
    const late = world.dials.shift()!
    world.wait(13)
    world.accepted(false)
    const acts: Array<string> = []
    const nothing = () => {}
    const write = () => assert.fail("it writes to a connection that it has given up")
    late.opened({
      broker: "b",
      write,
      close: nothing,
      reset: () => void acts.push("reset"),
      vanish: nothing,
      stall: nothing,
      unstall: nothing
    })
    assert.deepStrictEqual(acts, ["reset"])
    assert.strictEqual(world.history.filter(({ _tag }) => _tag === "Opened").length, 1)
  })

  it("stays away when it is told to, in each of the four ways", () => {
    const goneBy = (how: Plan.Offline["how"]) => {
      const world = new ScriptedWorld(clientPlan())
      const end = begin(world)
      world.perform(offline(how, 7))
      world.wait(60)
      assert.deepStrictEqual(world.dials, [])
      const closed = world.history.find((event) => event._tag === "Closed")
      return [end.taken(), end.acts, closed?.by]
    }
    const properties = { sessionExpiryInterval: 7 }
    assert.deepStrictEqual(goneBy("disconnect"), [
      [{ _tag: "Disconnect", reasonCode: 0, properties }],
      ["close"],
      "client"
    ])
    assert.deepStrictEqual(goneBy("disconnect-with-will"), [
      [{ _tag: "Disconnect", reasonCode: 4, properties }],
      ["close"],
      "client"
    ])
    assert.deepStrictEqual(goneBy("reset"), [[], ["reset"], "reset"])
    assert.deepStrictEqual(goneBy("silence"), [[], ["vanish"], "silence"])
  })

  it("sends nothing after a DISCONNECT of the broker, and reconnects [MQTT-4.13.2-1]", () => {
    const world = new ScriptedWorld(clientPlan())
    const end = begin(world)
    end.write({ _tag: "Disconnect", reasonCode: 0x8b })
    world.perform(publish(), publish({ qos: 0 }))
    world.wait(2)
    assert.deepStrictEqual([end.taken(), end.acts], [[], ["close"]])
    assert.deepStrictEqual(brief(world.accepted(true).taken()), ["1"])
  })

  it("takes over from itself: the old connection is only listened to", () => {
    const world = new ScriptedWorld(clientPlan())
    const old = begin(world)
    world.perform({ _tag: "TakeOver", at: 0 })
    const next = world.open()
    old.write(incoming(5, 1), { _tag: "Disconnect", reasonCode: 0x8e })
    old.events.closed("broker")
    next.accept(true)
    world.perform(publish())
    assert.deepStrictEqual([old.taken(), old.acts], [[], []])
    assert.deepStrictEqual(brief(next.taken()), ["Connect", "1"])
    const received = world.history.filter((event) => event._tag === "Received" && event.connection === 1)
    assert.strictEqual(received.length, 3)
  })
})

describe("how a model client keeps a connection alive", () => {
  it("sends a packet within every keep alive, and gives up after one and a half without an answer", () => {
    const world = new ScriptedWorld(clientPlan({ keepAlive: 4 }))
    const end = begin(world)
    for (let i = 0; i < 10; i++) {
      world.wait(3)
      assert.isAtLeast(end.taken().length, 1)
      end.write({ _tag: "PingResp" })
    }
    world.wait(7)
    assert.deepStrictEqual(end.acts, ["reset"])
    const closed = world.history.find((event) => event._tag === "Closed")
    assert.strictEqual(closed?.by, "silence")
  })

  it("pings a broker that is silent while the client itself has much to say", () => {
    const world = new ScriptedWorld(clientPlan({ keepAlive: 4 }))
    const end = begin(world)
    for (let i = 0; i < 3; i++) {
      world.wait(1)
      world.perform(publish({ qos: 0 }))
    }
    assert.include(brief(end.taken()), "PingReq")
  })

  it("waits for nothing without keep alive, but for an answer half a minute", () => {
    const world = new ScriptedWorld(clientPlan())
    const end = begin(world)
    world.wait(1000)
    assert.deepStrictEqual([end.taken(), end.acts], [[], []])
    world.perform(publish())
    world.wait(24)
    assert.deepStrictEqual(brief(end.taken()), ["1", "PingReq"])
    world.wait(16)
    assert.deepStrictEqual(end.acts, ["reset"])
  })

  it("does not blame the broker for what it does not read itself", () => {
    const world = new ScriptedWorld(clientPlan({ keepAlive: 4 }))
    const end = begin(world)
    world.perform({ _tag: "Stall", at: 0, duration: 30_000 })
    world.wait(31)
    assert.deepStrictEqual(end.acts, ["stall", "unstall"])
  })
})

describe("how a model client sends messages", () => {
  it("resends what is not acknowledged in the original order, with DUP, and PUBRELs [MQTT-4.4.0-1]", () => {
    const world = new ScriptedWorld(clientPlan())
    const end = begin(world)
    world.perform(publish(), publish({ qos: 2 }), publish({ qos: 2 }), publish({ qos: 0 }), publish())
    const sent = end.taken()
    assert.deepStrictEqual(brief(sent), ["1", "2", "3", "4", "5"])
    end.write(
      { _tag: "PubRec", packetId: idOf(sent[1]), reasonCode: 0 },
      { _tag: "PubAck", packetId: idOf(sent[4]), reasonCode: 0 }
    )
    assert.deepStrictEqual(brief(end.taken()), ["PubRel"])
    end.events.closed("reset")
    const next = world.accepted(true)
    const again = next.taken()
    assert.deepStrictEqual(brief(again), ["PubRel", "1 again", "3 again"])
    assert.deepStrictEqual(again.map(idOf), [idOf(sent[1]), idOf(sent[0]), idOf(sent[2])])
    next.write(
      { _tag: "PubComp", packetId: idOf(sent[1]), reasonCode: 0 },
      { _tag: "PubAck", packetId: idOf(sent[0]), reasonCode: 0 },
      { _tag: "PubRec", packetId: idOf(sent[2]), reasonCode: 0x97 }
    )
    assert.isTrue(world.client.isSettled)
  })

  it("gives up what was sent when the broker has lost the session, but not what never was", () => {
    const world = new ScriptedWorld(clientPlan())
    const end = begin(world)
    world.perform(publish(), publish({ qos: 2 }))
    end.events.closed("reset")
    world.perform(publish(), publish({ qos: 0 }))
    assert.deepStrictEqual(brief(world.accepted(false).taken()), ["3"])
  })

  it("numbers its messages in the order of their first sending, over all sessions", () => {
    const world = new ScriptedWorld(clientPlan())
    world.perform(publish({ qos: 2 }))
    const end = begin(world)
    world.perform(publish({ qos: 0 }))
    assert.deepStrictEqual(brief(end.taken()), ["1", "2"])
    world.perform(offline("disconnect"), publish(), { ...online, cleanStart: true })
    assert.deepStrictEqual(brief(world.accepted(false).taken()), ["3"])
  })

  it("never has more unacknowledged than the broker's Receive Maximum, resent ones included [MQTT-3.3.4-7]", () => {
    const world = new ScriptedWorld(clientPlan())
    world.perform(online)
    const end = world.accepted(false, { receiveMaximum: 3 })
    world.perform(publish(), publish({ qos: 2 }), publish(), publish(), publish({ qos: 0 }), publish())
    const sent = end.taken()
    assert.deepStrictEqual(brief(sent), ["1", "2", "3", "4"])
    end.write({ _tag: "PubRec", packetId: idOf(sent[1]), reasonCode: 0 })
    assert.deepStrictEqual(brief(end.taken()), ["PubRel"])
    end.events.closed("reset")
    const next = world.accepted(true, { receiveMaximum: 2 })
    assert.deepStrictEqual(brief(next.taken()), ["PubRel", "1 again"])
    next.write({ _tag: "PubAck", packetId: idOf(sent[0]), reasonCode: 0 })
    assert.deepStrictEqual(brief(next.taken()), ["3 again"])
    next.write({ _tag: "PubComp", packetId: idOf(sent[1]), reasonCode: 0 })
    assert.deepStrictEqual(brief(next.taken()), ["5"])
  })

  it("leaves out what the broker has said that it does not take", () => {
    const world = new ScriptedWorld(clientPlan())
    world.perform(online)
    const end = world.accepted(false, { maximumQoS: 1, retainAvailable: 0, maximumPacketSize: 100 })
    world.perform(publish({ qos: 2 }), publish({ retain: true }), publish({ bytes: 200 }), publish())
    assert.deepStrictEqual(brief(end.taken()), ["1"])
  })

  it("uses as many topic aliases as the broker allows, and none of an earlier connection [MQTT-3.3.2-7]", () => {
    const world = new ScriptedWorld(clientPlan())
    world.perform(online)
    const end = world.accepted(false, { topicAliasMaximum: 1 })
    const [a, b] = [publish({ topic: "a", alias: true }), publish({ topic: "b", alias: true })]
    world.perform(a, a, b, publish({ topic: "a" }))
    const topics = (packets: ReadonlyArray<Packet>) =>
      publishes(packets).map(({ topic, properties }) => [topic, properties?.topicAlias])
    assert.deepStrictEqual(topics(end.taken()), [
      ["a", 1],
      ["", 1],
      ["b", undefined],
      ["a", undefined]
    ])
    end.events.closed("reset")
    assert.deepStrictEqual(topics(world.accepted(true).taken()), [
      ["a", undefined],
      ["a", undefined],
      ["b", undefined],
      ["a", undefined]
    ])
  })

  it("says when each packet was taken, also after its own end of the connection", () => {
    const world = new ScriptedWorld(clientPlan())
    const end = begin(world)
    world.perform(publish({ qos: 0 }), offline("disconnect"))
    const lengths = world.history.filter(({ _tag }) => _tag === "Sent").length
    assert.strictEqual(lengths, 3)
    end.events.taken(10)
    end.events.taken(10_000)
    const taken = world.history.flatMap((event) => (event._tag === "Taken" ? [event.index] : []))
    assert.deepStrictEqual(taken, [0, 1, 2])
    assert.strictEqual(world.history.at(-1)?._tag, "Taken")
  })
})

describe("how a model client receives messages", () => {
  it("acknowledges in the order in which they came, however long it takes for each [MQTT-4.6.0-2]", () => {
    const world = new ScriptedWorld(clientPlan({ acknowledgeMillis: 500 }))
    const end = begin(world)
    const ids = Array.from({ length: 20 }, (_, i) => i + 1)
    end.write(...ids.map((id) => incoming(id, id % 2 === 0 ? 2 : 1)))
    assert.deepStrictEqual(end.taken(), [])
    assert.isFalse(world.client.isSettled)
    world.wait(0.5)
    const answers = end.taken()
    assert.deepStrictEqual(answers.map(idOf), ids)
    assert.deepStrictEqual(brief(answers.slice(0, 2)), ["PubAck", "PubRec"])
  })

  it("completes an exchange of QoS 2 over two connections, and says when it does not know it any more", () => {
    const world = new ScriptedWorld(clientPlan())
    const end = begin(world)
    end.write(incoming(1, 2))
    assert.deepStrictEqual(brief(end.taken()), ["PubRec"])
    assert.isFalse(world.client.isSettled)
    end.events.closed("reset")
    const next = world.accepted(true)
    const release: PubRel = { _tag: "PubRel", packetId: 1, reasonCode: 0 }
    next.write(incoming(1, 2, { dup: true }), release, release)
    assert.deepStrictEqual(next.taken(), [
      { _tag: "PubRec", packetId: 1, reasonCode: 0 },
      { _tag: "PubComp", packetId: 1, reasonCode: 0 },
      { _tag: "PubComp", packetId: 1, reasonCode: 0x92 }
    ])
    assert.isTrue(world.client.isSettled)
  })

  it("ends the connection over an alias that was never set, and over what a server may not send", () => {
    const endOf = (packet: Packet): ReadonlyArray<unknown> => {
      const world = new ScriptedWorld(clientPlan({ topicAliasMaximum: 1 }))
      const end = begin(world)
      end.write(
        incoming(0, 0, { properties: { topicAlias: 1 } }),
        incoming(0, 0, { topic: "", properties: { topicAlias: 1 } })
      )
      assert.deepStrictEqual(end.acts, [])
      end.write(packet)
      return [...end.taken(), ...end.acts]
    }
    const protest = (reasonCode: number) => [{ _tag: "Disconnect", reasonCode }, "close"]
    assert.deepStrictEqual(endOf(incoming(0, 0, { topic: "", properties: { topicAlias: 2 } })), protest(0x94))
    assert.deepStrictEqual(endOf({ _tag: "ConnAck", sessionPresent: false, reasonCode: 0 }), protest(0x82))
  })

  it("notes bytes that are no packet of a server", () => {
    const world = new ScriptedWorld(clientPlan())
    const end = begin(world)
    end.events.data(Buffer.from([0x10, 0x00]))
    assert.deepStrictEqual(
      world.history.slice(-3).map(({ _tag }) => _tag),
      ["Garbled", "Sent", "Closed"]
    )
    assert.deepStrictEqual(end.acts, ["close"])
  })
})

describe("how a model client subscribes", () => {
  const filters = (packets: ReadonlyArray<Packet>) =>
    packets.flatMap((packet) => {
      if (packet._tag === "Subscribe") return packet.subscriptions.map(({ filter }) => `+${filter}`)
      return packet._tag === "Unsubscribe" ? packet.filters.map((filter) => `-${filter}`) : []
    })

  it("asks again for what was not answered before the connection ended", () => {
    const world = new ScriptedWorld(clientPlan())
    const end = begin(world)
    world.perform(subscribe("a"), subscribe("b"), { _tag: "Unsubscribe", at: 0, filter: "c" })
    const asked = end.taken()
    assert.deepStrictEqual(filters(asked), ["+a", "+b", "-c"])
    end.write({ _tag: "SubAck", packetId: idOf(asked[0]), reasonCodes: [1] })
    end.events.closed("broker")
    world.perform(subscribe("d"), { _tag: "Unsubscribe", at: 0, filter: "d" })
    assert.deepStrictEqual(filters(world.accepted(true).taken()), ["+b", "-c", "-d"])
  })

  it("subscribes to all that it wants when the broker has lost the session", () => {
    const world = new ScriptedWorld(clientPlan())
    const end = begin(world)
    world.perform(subscribe("a"), subscribe("b"), { _tag: "Unsubscribe", at: 0, filter: "b" }, subscribe("c"))
    for (const packet of end.taken()) {
      if (packet._tag === "Subscribe") end.write({ _tag: "SubAck", packetId: packet.packetId, reasonCodes: [1] })
      else end.write({ _tag: "UnsubAck", packetId: idOf(packet), reasonCodes: [0] })
    }
    assert.isTrue(world.client.isSettled)
    end.events.closed("reset")
    assert.deepStrictEqual(filters(world.accepted(false).taken()), ["+a", "+c"])
  })

  it("asks once more, after a while, for a subscription that was refused", () => {
    const world = new ScriptedWorld(clientPlan())
    const end = begin(world)
    world.perform(subscribe("a"))
    end.write({ _tag: "SubAck", packetId: idOf(end.taken()[0]), reasonCodes: [0x97] })
    assert.isFalse(world.client.isSettled)
    world.wait(3)
    assert.deepStrictEqual(filters(end.taken()), ["+a"])
  })
})

describe("how a model client ends a run", () => {
  it("comes online for what its durable session holds, and only then", () => {
    const away = (...actions: ReadonlyArray<Plan.Action>) => {
      const world = new ScriptedWorld(clientPlan())
      begin(world, actions[0] as Plan.Online)
      world.perform(...actions.slice(1))
      world.client.comeOnline()
      return world
    }
    const will: Plan.WillPlan = { topic: "wills/c", qos: 0, retain: false }
    const world = away({ ...online, cleanStart: true, will }, offline("silence"))
    assert.isFalse(world.client.isSettled)
    const end = world.open()
    const [connect] = end.taken()
    assert.isTrue(connect?._tag === "Connect" && !connect.cleanStart && connect.will === undefined)
    end.accept(true)
    assert.isTrue(world.client.isSettled)
    assert.isTrue(away(online, offline("disconnect", 0)).client.isSettled)
    const transient: Plan.Online = { _tag: "Online", at: 0, cleanStart: true }
    assert.isTrue(away(transient, offline("reset")).client.isSettled)
    assert.isFalse(away(online, offline("reset"), transient, offline("reset")).client.isSettled)
  })

  it("comes online for a session that an unanswered CONNECT may have made", () => {
    const world = new ScriptedWorld(clientPlan())
    begin(world, { _tag: "Online", at: 0, cleanStart: true })
    world.perform(offline("reset"), online)
    world.open()
    world.perform(offline("reset"))
    world.client.comeOnline()
    assert.isFalse(world.client.isSettled)
    world.accepted(true)
    assert.isTrue(world.client.isSettled)
  })

  it("waits for no PUBREL of a session that an unanswered Clean Start may have ended [MQTT-3.1.2-4]", () => {
    const world = new ScriptedWorld(clientPlan())
    const end = begin(world)
    end.write(incoming(1, 2), incoming(2, 2))
    assert.isFalse(world.client.isSettled)
    world.perform(offline("disconnect"), { ...online, cleanStart: true })
    world.open()
    world.perform(offline("silence"), online)
    const next = world.accepted(true)
    assert.isTrue(world.client.isSettled)
    next.write(incoming(2, 2, { dup: true }))
    assert.isFalse(world.client.isSettled)
    next.write({ _tag: "PubRel", packetId: 2, reasonCode: 0 })
    assert.isTrue(world.client.isSettled)
  })

  it("makes sure that its connection is one", () => {
    const world = new ScriptedWorld(clientPlan())
    const end = begin(world)
    world.perform({ _tag: "Stall", at: 0, duration: 1_000_000 })
    world.client.comeOnline()
    assert.deepStrictEqual([brief(end.taken()), end.acts], [["PingReq"], ["stall", "unstall"]])
    assert.isFalse(world.client.isSettled)
    end.write({ _tag: "PingResp" })
    assert.isTrue(world.client.isSettled)
  })

  it("ends its session when all is over, and is gone", () => {
    const world = new ScriptedWorld(clientPlan())
    const end = begin(world)
    world.perform(subscribe("a"), publish())
    world.client.clear()
    assert.deepStrictEqual(end.taken().at(-1), { _tag: "Disconnect", reasonCode: 0 })
    world.open().events.closed("reset")
    assert.isFalse(world.client.isGone)
    const last = world.open()
    last.accept(false)
    const [connect, ...others] = last.taken()
    assert.isTrue(connect?._tag === "Connect" && connect.cleanStart && connect.properties === undefined)
    assert.deepStrictEqual(brief(others), ["Disconnect"])
    assert.isTrue(world.client.isGone)
    world.wait(60)
    assert.deepStrictEqual(world.dials, [])
  })

  it("is gone at once when it never was there", () => {
    const world = new ScriptedWorld(clientPlan())
    world.client.clear()
    assert.isTrue(world.client.isGone)
  })

  it("has written a history that its Schema accepts", () => {
    const world = new ScriptedWorld(clientPlan({ keepAlive: 2 }))
    const end = begin(world, { ...online, will: { topic: "wills/c", qos: 1, retain: false, delay: 1 } })
    world.perform(subscribe("a", { identifier: 3 }), publish({ qos: 2, expiry: 4, alias: true }))
    end.write(incoming(1, 1))
    end.events.taken(500)
    world.wait(3)
    world.perform(offline("disconnect-with-will"))
    assert.isAbove(world.history.length, 8)
    for (const event of world.history) assert.isTrue(Schema.is(Event)(event), event._tag)
  })
})
