import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Logger, Redacted } from "effect"
import { TestClock } from "effect/testing"
import * as Logging from "../../src/layers/Logging.ts"

/** What is logged by an effect, in this format. */
const logged = (format: "auto" | "human" | "json", effect: Effect.Effect<void>, terminal = false, colour = false) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const output = { write: (line: string) => void lines.push(line), isTerminal: terminal, colour }
    yield* TestClock.setTime(Date.UTC(2026, 0, 2, 3, 4, 5, 678))
    yield* effect.pipe(Effect.provide(Logger.layer([Logging.loggerFor(format, output)])))
    return lines
  })

const connected = Effect.logInfo("connected", { client: "c1", keepAlive: 60 })

describe("a JSON line", () => {
  it.effect("has time, level and message first, then the details", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* logged("json", Effect.annotateLogs(connected, { listener: "tcp" })), [
        `{"time":"2026-01-02T03:04:05.678Z","level":"info","message":"connected","listener":"tcp","client":"c1","keepAlive":60}`
      ])
    })
  )

  it.effect("keeps its own message when a detail has the same name", () =>
    Effect.gen(function* () {
      const [line] = yield* logged("json", Effect.logWarning("refused", { message: "x", level: "y", time: "z" }))
      const { time, level, message } = JSON.parse(line!)
      assert.deepStrictEqual([time, level, message], ["2026-01-02T03:04:05.678Z", "warn", "refused"])
    })
  )

  it.effect("has the cause of an error", () =>
    Effect.gen(function* () {
      const [line] = yield* logged("json", Effect.logError("failed", Cause.fail(new Error("no credit"))))
      assert.include(JSON.parse(line!).cause, "no credit")
    })
  )

  it.effect("never shows what is redacted", () =>
    Effect.gen(function* () {
      const secret = { password: Redacted.make("canary"), nested: { also: Redacted.make("canary") } }
      for (const format of ["json", "human"] as const) {
        assert.notInclude((yield* logged(format, Effect.logInfo("login", secret))).join("\n"), "canary")
      }
    })
  )
})

describe("a line for people", () => {
  it.effect("has the time of day, the level, the message and the details", () =>
    Effect.gen(function* () {
      const [line] = yield* logged("human", connected)
      assert.match(line!, /^\d\d:\d\d:05\.678 INFO {2}connected client=c1 keepAlive=60$/)
    })
  )

  it.effect("quotes a detail with spaces and escapes what could move the cursor", () =>
    Effect.gen(function* () {
      const client = "a b\n12:00:00.000 INFO  \u001b[2Jforged\u202e"
      const lines = yield* logged("human", Effect.logInfo("connected\r", { client }))
      assert.strictEqual(lines.length, 1)
      assert.match(lines[0]!, /connected\\u000d client="a b\\n12:00:00\.000 INFO {2}\\u001b\[2Jforged\\u202e"$/)
    })
  )

  it.effect("has the cause of an error on lines of its own", () =>
    Effect.gen(function* () {
      const [line] = yield* logged("human", Effect.logError("failed", Cause.fail(new Error("no credit"))))
      assert.match(line!, /ERROR failed\nError: no credit(\n {4}at .*)*$/)
    })
  )

  it.effect("is coloured only where that was asked for", () =>
    Effect.gen(function* () {
      assert.include((yield* logged("human", connected, true, true)).join(), "\u001b[32mINFO ")
      assert.notInclude((yield* logged("human", connected, true, false)).join(), "\u001b")
    })
  )
})

describe("the format auto", () => {
  it.effect("is for people on a terminal and JSON elsewhere", () =>
    Effect.gen(function* () {
      assert.match((yield* logged("auto", connected, true)).join(), /INFO {2}connected/)
      assert.match((yield* logged("auto", connected, false)).join(), /^\{"time"/)
    })
  )
})
