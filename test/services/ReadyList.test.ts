import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema, Stream } from "effect"
import * as ReadyList from "../../src/services/ReadyList.ts"

const settle = Effect.gen(function* () {
  for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
})

describe("a ready list", () => {
  it.effect("gives all that one turn brought in one pass, in order", () =>
    Effect.gen(function* () {
      const list = ReadyList.make<number>()
      const passes: Array<ReadonlyArray<number>> = []
      yield* Effect.forkChild(
        Stream.runForEach(list.passes, (pass) => Effect.sync(() => void passes.push(pass))),
        { startImmediately: true }
      )
      for (let i = 0; i < 5; i++) list.add(i)
      assert.deepStrictEqual(passes, [], "to add runs no code of the taker")
      yield* settle
      list.add(5)
      yield* settle
      assert.deepStrictEqual(passes, [[0, 1, 2, 3, 4], [5]])
    })
  )

  it.effect("keeps what comes while the taker is busy for its next pass", () =>
    Effect.gen(function* () {
      const list = ReadyList.make<number>()
      const passes: Array<ReadonlyArray<number>> = []
      yield* Effect.forkChild(
        Stream.runForEach(list.passes, (pass) =>
          Effect.gen(function* () {
            passes.push(pass)
            if (pass[0] === 1) for (const n of [2, 3]) list.add(n)
            yield* Effect.yieldNow
            if (pass[0] === 1) list.add(4)
          })
        ),
        { startImmediately: true }
      )
      list.add(1)
      yield* settle
      assert.deepStrictEqual(passes, [[1], [2, 3, 4]])
    })
  )

  it.effect("loses nothing to a taker that gives up waiting", () =>
    Effect.gen(function* () {
      const list = ReadyList.make<number>()
      const first = yield* Effect.forkChild(list.take, { startImmediately: true })
      yield* Fiber.interrupt(first)
      const second = yield* Effect.forkChild(list.take, { startImmediately: true })
      list.add(1)
      yield* Fiber.interrupt(second)
      assert.deepStrictEqual(yield* list.take, [1])
    })
  )

  it.effect.prop(
    "loses nothing and keeps the order, however adders and taker take turns",
    [Schema.Array(Schema.Literals([0, 1, 2, 7]))],
    ([bursts]) =>
      Effect.gen(function* () {
        const list = ReadyList.make<number>()
        const seen: Array<number> = []
        const taker = yield* Effect.forkChild(
          Stream.runForEach(list.passes, (pass) =>
            Effect.andThen(
              Effect.yieldNow,
              Effect.sync(() => void seen.push(...pass))
            )
          ),
          { startImmediately: true }
        )
        let added = 0
        for (const burst of bursts) {
          for (let i = 0; i < burst; i++) list.add(added++)
          if (burst !== 1) yield* Effect.yieldNow
        }
        while (seen.length < added) yield* Effect.yieldNow
        yield* settle
        yield* Fiber.interrupt(taker)
        assert.deepStrictEqual(
          seen,
          Array.from({ length: added }, (_, i) => i)
        )
      })
  )
})
