import { assert, describe, it } from "@effect/vitest"
import { Duration, Result, Schema } from "effect"
import { Config } from "../../../src/domain/config/Config.ts"
import * as Key from "../../../src/domain/config/Key.ts"
import { resolve, type Source } from "../../../src/domain/config/Provenance.ts"

const machine = { id: "host-1" }

const document = (content: unknown): Source => ({ kind: "document", name: "file mqttzoo.yaml", content })

const variable = (key: string, value: string): Source => ({
  kind: "text",
  name: "environment MQTTZOO_X",
  key,
  value,
  secret: false
})

const flag = (key: string, value: string): Source => ({ kind: "text", name: "flag --x", key, value, secret: false })

const resolved = (...sources: ReadonlyArray<Source>) => Result.getOrThrow(resolve(sources, machine))

const message = (...sources: ReadonlyArray<Source>): string => {
  const result = resolve(sources, machine)
  return Result.isFailure(result) ? result.failure.message : assert.fail("these sources should not be accepted")
}

const originOf = (key: string, ...sources: ReadonlyArray<Source>) => {
  const origin = resolved(...sources).origins.find((origin) => origin.key === key)!
  return [origin.value, origin.source]
}

describe("the configuration without any source", () => {
  it("is the defaults, and the host's name as the id", () => {
    const { config, origins } = resolved()
    assert.strictEqual(config.id, "host-1")
    assert.deepStrictEqual(config.listeners, { tcp: { host: "0.0.0.0", port: 1883 } })
    assert.strictEqual(config.limits.maximumPacketSize, 1_048_576)
    assert.strictEqual(Duration.toMillis(config.limits.connectTimeout), 10_000)
    assert.strictEqual(Duration.toSeconds(config.session.maximumExpiryInterval), 604_800)
    assert.strictEqual(config.session.sharedSubscriptionStrategy, "round-robin")
    assert.deepStrictEqual(
      origins.map((origin) => origin.source),
      Key.keys.map(() => "default")
    )
  })

  it("is a complete value of the Schema", () => {
    assert.isTrue(Schema.is(Config)(resolved().config))
  })
})

describe("several sources", () => {
  it("win in their order, key by key, and each value knows where it came from", () => {
    const file = document({ listeners: { tcp: { host: "127.0.0.1", port: 1 } }, limits: { receiveMaximum: 5 } })
    const sources = [file, variable("listeners.tcp.port", "2"), flag("listeners.tcp.port", "3")]
    assert.deepStrictEqual(originOf("listeners.tcp.port", ...sources), [3, "flag --x"])
    assert.deepStrictEqual(originOf("listeners.tcp.port", ...sources.slice(0, 2)), [2, "environment MQTTZOO_X"])
    assert.deepStrictEqual(originOf("listeners.tcp.host", ...sources), ["127.0.0.1", "file mqttzoo.yaml"])
    assert.deepStrictEqual(originOf("limits.receiveMaximum", ...sources), [5, "file mqttzoo.yaml"])
    assert.deepStrictEqual(originOf("log.level", ...sources), ["info", "default"])
  })

  it("may give a size and a duration in any spelling; the origin has the plain one", () => {
    assert.deepStrictEqual(originOf("limits.maximumPacketSize", document({ limits: { maximumPacketSize: 2048 } })), [
      "2 KiB",
      "file mqttzoo.yaml"
    ])
    assert.deepStrictEqual(originOf("limits.maximumPacketSize", variable("limits.maximumPacketSize", "4096")), [
      "4 KiB",
      "environment MQTTZOO_X"
    ])
    assert.deepStrictEqual(originOf("limits.connectTimeout", variable("limits.connectTimeout", "5s")), [
      "5 seconds",
      "environment MQTTZOO_X"
    ])
  })

  it("read text as text where the key is text", () => {
    assert.strictEqual(resolved(variable("id", "42")).config.id, "42")
  })

  it("take a group without content as empty", () => {
    assert.strictEqual(resolved(document(null)).config.listeners.tcp.port, 1883)
    assert.strictEqual(resolved(document({ listeners: { tcp: null } })).config.listeners.tcp.port, 1883)
  })
})

describe("what is wrong is said with source, key, value and what is allowed", () => {
  it("when a value is out of bounds", () => {
    assert.strictEqual(
      message(document({ listeners: { tcp: { port: 70_000 } } })),
      "file mqttzoo.yaml: listeners.tcp.port is 70000; allowed: a whole number from 0 to 65535"
    )
  })

  it("when a value has another type", () => {
    assert.strictEqual(
      message(document({ listeners: { tcp: { port: "1883" } }, log: { level: ["info"], format: { a: 1 } }, id: null })),
      [
        'file mqttzoo.yaml: listeners.tcp.port is "1883"; allowed: a whole number from 0 to 65535',
        "file mqttzoo.yaml: log.level is a list; allowed: one of trace, debug, info, warn, error, fatal, none",
        "file mqttzoo.yaml: log.format is a mapping; allowed: one of auto, human, json",
        "file mqttzoo.yaml: id is empty; allowed: 1 to 64 letters, digits, dots, dashes and underscores"
      ].join("\n")
    )
  })

  it("when a size or a duration cannot be read", () => {
    assert.strictEqual(
      message(document({ limits: { maximumPacketSize: "1 mib", connectTimeout: 10 } })),
      [
        'file mqttzoo.yaml: limits.maximumPacketSize is "1 mib"; ' +
          'allowed: a number of bytes, or a size such as "64 KiB" or "1 MiB", from 1 KiB to 256 MiB',
        "file mqttzoo.yaml: limits.connectTimeout is 10; " +
          "allowed: a number with its unit (ms, seconds, minutes, hours, days), from 100 ms to 10 minutes"
      ].join("\n")
    )
  })

  it("when a size or a duration is out of bounds", () => {
    assert.strictEqual(
      message(flag("limits.maximumPacketSize", "1 GiB"), flag("limits.connectTimeout", "1 ms")),
      [
        'flag --x: limits.maximumPacketSize is "1 GiB"; ' +
          'allowed: a number of bytes, or a size such as "64 KiB" or "1 MiB", from 1 KiB to 256 MiB',
        'flag --x: limits.connectTimeout is "1 ms"; ' +
          "allowed: a number with its unit (ms, seconds, minutes, hours, days), from 100 ms to 10 minutes"
      ].join("\n")
    )
  })

  it("when a key is misspelt", () => {
    assert.strictEqual(
      message(document({ listeners: { tcp: { prot: 1 } } })),
      "file mqttzoo.yaml: listeners.tcp.prot is not a known key; did you mean listeners.tcp.port?"
    )
    assert.strictEqual(
      message(document({ listener: { tcp: { port: 1 } } })),
      "file mqttzoo.yaml: listener is not a known key; did you mean listeners?"
    )
  })

  it("when a key is at the wrong place", () => {
    assert.strictEqual(
      message(document({ maximumPacketSize: 1 })),
      "file mqttzoo.yaml: maximumPacketSize is not a known key; did you mean limits.maximumPacketSize?"
    )
  })

  it("when a key is like no other", () => {
    assert.strictEqual(
      message(flag("listeners.tcp.colour", "blue")),
      "flag --x: listeners.tcp.colour is not a known key; known here: host, port"
    )
  })

  it("when a key has dots where a file has levels", () => {
    assert.strictEqual(
      message(document({ "listeners.tcp.port": 1 })),
      "file mqttzoo.yaml: listeners.tcp.port is one key with dots; write its levels one below the other"
    )
  })

  it("when a group is a value, or the whole document is", () => {
    assert.strictEqual(
      message(document({ listeners: { tcp: 1883 } })),
      "file mqttzoo.yaml: listeners.tcp is 1883; allowed: a mapping with the keys host, port"
    )
    assert.strictEqual(
      message(document("port")),
      'file mqttzoo.yaml is "port"; allowed: a mapping with the keys ' +
        "id, listeners, data, zookeeper, partitions, session, limits, bank, shutdown, log"
    )
  })

  it("when a flag names a group", () => {
    assert.strictEqual(
      message(flag("listeners.tcp", "1883")),
      "flag --x: listeners.tcp is not a key but a group; its keys: host, port"
    )
  })

  it("also when a later source hides it", () => {
    assert.strictEqual(
      message(document({ listeners: { tcp: { port: -1 } } }), flag("listeners.tcp.port", "1883")),
      "file mqttzoo.yaml: listeners.tcp.port is -1; allowed: a whole number from 0 to 65535"
    )
  })

  it("all at once, in the order of the sources", () => {
    const lines = message(document({ a: 1, log: { level: "loud" } }), variable("id", "a b"), flag("b", "1")).split("\n")
    assert.deepStrictEqual(
      lines.map((line) => line.split(" is ")[0]),
      ["file mqttzoo.yaml: a", "file mqttzoo.yaml: log.level", "environment MQTTZOO_X: id", "flag --x: b"]
    )
  })

  it("without the value when the value is a secret", () => {
    assert.strictEqual(
      message({ kind: "text", name: "environment MQTTZOO_ID_FILE", key: "id", value: "top secret!", secret: true }),
      "environment MQTTZOO_ID_FILE: id is (hidden); allowed: 1 to 64 letters, digits, dots, dashes and underscores"
    )
  })

  it("in one short line, whatever the value", () => {
    const line = message(document({ id: `${"x".repeat(1_000_000)}\n` }))
    assert.isBelow(line.length, 250)
    assert.strictEqual(line.split("\n").length, 1)
  })

  it("for keys that are names of what every object has", () => {
    assert.include(message(document(JSON.parse(`{"__proto__": {"x": 1}}`))), "__proto__ is not a known key")
    assert.include(message(document({ constructor: 1 })), "constructor is not a known key")
  })
})

describe("every value that the Schema allows", () => {
  const { partitions, limits, session } = Config.fields
  const fields = {
    partitions,
    receiveMaximum: limits.fields.receiveMaximum,
    maximumPacketSize: limits.fields.maximumPacketSize,
    strategy: session.fields.sharedSubscriptionStrategy
  }

  it.prop("comes through a file and through variables as it is", fields, (values) => {
    const { partitions, receiveMaximum, maximumPacketSize, strategy } = values
    const byFile = resolved(
      document({
        partitions,
        limits: { receiveMaximum, maximumPacketSize },
        session: { sharedSubscriptionStrategy: strategy }
      })
    ).config
    assert.strictEqual(byFile.partitions, partitions)
    assert.deepInclude(byFile.limits, { receiveMaximum, maximumPacketSize })
    assert.strictEqual(byFile.session.sharedSubscriptionStrategy, strategy)
    const byVariables = resolved(
      variable("partitions", String(partitions)),
      variable("limits.receiveMaximum", String(receiveMaximum)),
      variable("limits.maximumPacketSize", String(maximumPacketSize)),
      variable("session.sharedSubscriptionStrategy", strategy)
    ).config
    assert.deepStrictEqual(byVariables, byFile)
  })
})
