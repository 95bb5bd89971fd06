import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as ConfigurationSources from "../../src/layers/ConfigurationSources.ts"
import { Configuration } from "../../src/services/Configuration.ts"

const nowhere: ConfigurationSources.Sources = { file: undefined, settings: [], flags: {}, environment: {} }

/** A directory of its own for the test, with these files in it. */
const directoryWith = (files: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const directory = fs.mkdtempSync(path.join(os.tmpdir(), "mqttzoo-"))
      for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(directory, name), text)
      return directory
    }),
    (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true }))
  )

const portFrom = (from: Partial<ConfigurationSources.Sources>) =>
  Effect.map(ConfigurationSources.load({ ...nowhere, ...from }), ({ config, origins }) => [
    config.listeners.tcp.port,
    origins.find((origin) => origin.key === "listeners.tcp.port")?.source
  ])

const complaintAbout = (from: Partial<ConfigurationSources.Sources>) =>
  ConfigurationSources.load({ ...nowhere, ...from }).pipe(
    Effect.flip,
    Effect.map((error) => error.message)
  )

describe("the sources of the configuration", () => {
  it.effect("are the defaults, then the file, then the environment, then --set, then the flags", () =>
    Effect.gen(function* () {
      const file = `${yield* directoryWith({ "a.yaml": "listeners: { tcp: { port: 1 } }" })}/a.yaml`
      const environment = { MQTTZOO_LISTENERS__TCP__PORT: "2" }
      const settings = ["listeners.tcp.port=3"]
      const flags = { port: "4" }
      assert.deepStrictEqual(yield* portFrom({}), [1883, "default"])
      assert.deepStrictEqual(yield* portFrom({ file }), [1, `file ${file}`])
      assert.deepStrictEqual(yield* portFrom({ file, environment }), [2, "environment MQTTZOO_LISTENERS__TCP__PORT"])
      assert.deepStrictEqual(yield* portFrom({ file, environment, settings }), [3, "flag --set"])
      assert.deepStrictEqual(yield* portFrom({ file, environment, settings, flags }), [4, "flag --port"])
    })
  )

  it.effect("take the file that MQTTZOO_CONFIG names, unless a flag names one", () =>
    Effect.gen(function* () {
      const directory = yield* directoryWith({
        "a.yaml": "listeners:\n  tcp:\n    port: 1 # one\n",
        "b.json": `{ "listeners": { "tcp": { "port": 2 } } }`
      })
      const environment = { MQTTZOO_CONFIG: `${directory}/a.yaml` }
      assert.deepStrictEqual(yield* portFrom({ environment }), [1, `file ${directory}/a.yaml`])
      assert.deepStrictEqual(yield* portFrom({ environment, file: `${directory}/b.json` }), [
        2,
        `file ${directory}/b.json`
      ])
    })
  )

  it.effect("take the host's name as the id", () =>
    Effect.gen(function* () {
      const { config } = yield* Configuration
      assert.strictEqual(config.id, os.hostname())
    }).pipe(Effect.provide(ConfigurationSources.layer(nowhere)))
  )

  it.effect("read a secret from the file that a _FILE variable names", () =>
    Effect.gen(function* () {
      const directory = yield* directoryWith({ port: "7\n" })
      const environment = { MQTTZOO_LISTENERS__TCP__PORT_FILE: `${directory}/port` }
      assert.deepStrictEqual(yield* portFrom({ environment }), [7, "environment MQTTZOO_LISTENERS__TCP__PORT_FILE"])
    })
  )
})

describe("a source that cannot be read", () => {
  it.effect("is named with the reason", () =>
    Effect.gen(function* () {
      const directory = yield* directoryWith({})
      assert.strictEqual(
        yield* complaintAbout({ file: `${directory}/none.yaml` }),
        `file ${directory}/none.yaml cannot be read: there is no such file or directory`
      )
      assert.strictEqual(
        yield* complaintAbout({ file: directory }),
        `file ${directory} cannot be read: it is a directory`
      )
      assert.strictEqual(
        yield* complaintAbout({ environment: { MQTTZOO_ID_FILE: `${directory}/none` } }),
        `environment MQTTZOO_ID_FILE names ${directory}/none, which cannot be read: there is no such file or directory`
      )
    })
  )

  it.effect("is named with what is wrong in it", () =>
    Effect.gen(function* () {
      const directory = yield* directoryWith({ "a.yaml": "id: a\nid: b\n", "b.json": "{", "c.yaml": "id: [" })
      assert.strictEqual(
        yield* complaintAbout({ file: `${directory}/a.yaml` }),
        `file ${directory}/a.yaml is not valid YAML: Duplicate key 'id' at line 2`
      )
      assert.match(yield* complaintAbout({ file: `${directory}/b.json` }), /b\.json is not valid JSON: [^\n]+$/)
      assert.match(yield* complaintAbout({ file: `${directory}/c.yaml` }), /c\.yaml is not valid YAML: [^\n]+$/)
    })
  )

  it.effect("does not hide what is wrong in the others", () =>
    Effect.gen(function* () {
      const complaint = yield* complaintAbout({
        file: "/nowhere/a.yaml",
        environment: { MQTTZOO_COLOUR: "blue" },
        settings: ["id"],
        flags: { port: "high" }
      })
      assert.deepStrictEqual(complaint.split("\n"), [
        "file /nowhere/a.yaml cannot be read: there is no such file or directory",
        "environment MQTTZOO_COLOUR is not a known variable",
        `flag --set "id" is not of the form key=value`,
        `flag --port: listeners.tcp.port is "high"; allowed: a whole number from 0 to 65535`
      ])
    })
  )
})

describe("the configuration of a broker inside another program", () => {
  it.effect("is the given settings over the defaults", () =>
    Effect.gen(function* () {
      const { config } = yield* Configuration
      assert.deepStrictEqual(config.listeners.tcp, { host: "127.0.0.1", port: 1883 })
      assert.strictEqual(config.limits.maximumPacketSize, 2048)
    }).pipe(
      Effect.provide(
        Configuration.layer({ listeners: { tcp: { host: "127.0.0.1" } }, limits: { maximumPacketSize: "2 KiB" } })
      )
    )
  )

  it.effect("is refused like a file when it is wrong", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.provide(Configuration, Configuration.layer({ partitions: 0 })))
      assert.strictEqual(error.message, "settings: partitions is 0; allowed: a whole number from 1 to 4096")
    })
  )
})
