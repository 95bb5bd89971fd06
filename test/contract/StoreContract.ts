/**
 * What every layer of the Store service does, as a suite over a factory of places to store.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, type Scope } from "effect"
import { maximumKeyBytes, Store, type StoreError } from "../../src/services/Store.ts"

/** A place that layers store to one after the other. */
export type Place = Effect.Effect<Layer.Layer<Store, StoreError>, unknown, Scope.Scope>

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const contents = (store: Store["Service"]) =>
  Effect.map(store.load, (entries) => entries.map(({ key, value }) => [key, new TextDecoder().decode(value)]))

const build = (layer: Layer.Layer<Store, StoreError>) =>
  Effect.map(Layer.build(Layer.fresh(layer)), (context) => Context.get(context, Store))

/** Runs the suite. Each test gets an empty place of its own. */
export const storeContract = (name: string, makePlace: Place): void => {
  const test = (sentence: string, body: (store: Store["Service"]) => Effect.Effect<unknown, unknown, Scope.Scope>) =>
    it.live(sentence, () =>
      Effect.scoped(
        Effect.gen(function* () {
          yield* body(yield* build(yield* makePlace))
        })
      )
    )

  describe(`${name}: store`, () => {
    test("a new store holds nothing", (store) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* store.load, [])
      }))

    test("what a batch put is there, in the order of the keys", (store) =>
      Effect.gen(function* () {
        yield* store.commit([
          { key: "b", value: bytes("2") },
          { key: "ä", value: bytes("4") },
          { key: "a/b", value: bytes("1") },
          { key: "a", value: bytes("0") },
          { key: "c", value: bytes("") }
        ])
        assert.deepStrictEqual(yield* contents(store), [
          ["a", "0"],
          ["a/b", "1"],
          ["b", "2"],
          ["c", ""],
          ["ä", "4"]
        ])
      }))

    test("a batch replaces and removes, and the last change of a key holds", (store) =>
      Effect.gen(function* () {
        yield* store.commit([
          { key: "a", value: bytes("1") },
          { key: "b", value: bytes("1") },
          { key: "c", value: bytes("1") }
        ])
        yield* store.commit([
          { key: "a", value: bytes("2") },
          { key: "a", value: bytes("3") },
          { key: "b", value: undefined },
          { key: "nothing", value: undefined },
          { key: "c", value: undefined },
          { key: "c", value: bytes("4") }
        ])
        assert.deepStrictEqual(yield* contents(store), [
          ["a", "3"],
          ["c", "4"]
        ])
      }))

    test("an empty batch changes nothing", (store) =>
      Effect.gen(function* () {
        yield* store.commit([])
        assert.deepStrictEqual(yield* store.load, [])
      }))

    test("batches at the same time take effect in the order of the calls", (store) =>
      Effect.gen(function* () {
        const batches = Array.from({ length: 50 }, (_, at) =>
          store.commit([
            { key: "last", value: bytes(String(at)) },
            { key: `k${String(at).padStart(2, "0")}`, value: bytes("") }
          ])
        )
        yield* Effect.all(batches, { concurrency: "unbounded" })
        const entries = yield* contents(store)
        assert.strictEqual(entries.length, 51)
        assert.deepStrictEqual(entries.at(-1), ["last", "49"])
      }))

    test("a key that is empty or too long is refused with its whole batch", (store) =>
      Effect.gen(function* () {
        for (const key of ["", "k".repeat(maximumKeyBytes + 1), "ä".repeat(maximumKeyBytes / 2 + 1)]) {
          const error = yield* Effect.flip(
            store.commit([
              { key: "good", value: bytes("") },
              { key, value: bytes("") }
            ])
          )
          assert.strictEqual(error.reason._tag, "BadKey")
        }
        assert.deepStrictEqual(yield* store.load, [])
        yield* store.commit([{ key: "k".repeat(maximumKeyBytes), value: bytes("1") }])
        assert.strictEqual((yield* store.load).length, 1)
      }))

    test("values of megabytes come back as they were", (store) =>
      Effect.gen(function* () {
        const large = Array.from({ length: 3 }, (_, at) => new Uint8Array(3_000_000).fill(at + 1))
        yield* store.commit(large.map((value, at) => ({ key: `k${at}`, value })))
        const entries = yield* store.load
        assert.isTrue(entries.every(({ value }, at) => Buffer.compare(value, large[at]!) === 0))
      }))

    test("what was loaded stays as it was when the store goes on", (store) =>
      Effect.gen(function* () {
        yield* store.commit([{ key: "a", value: bytes("1".repeat(5000)) }])
        const before = yield* store.load
        for (let at = 0; at < 20; at++) yield* store.commit([{ key: "a", value: bytes("2".repeat(5000)) }])
        yield* store.load
        assert.strictEqual(new TextDecoder().decode(before[0]!.value), "1".repeat(5000))
      }))

    test("a commit that has begun is finished although its fiber is interrupted", (store) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(store.commit([{ key: "a", value: bytes("1") }]), {
          startImmediately: true
        })
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(yield* contents(store), [["a", "1"]])
      }))

    it.live("a store that is opened again holds what was committed", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const layer = yield* makePlace
          for (let round = 0; round < 3; round++) {
            yield* Effect.scoped(
              Effect.gen(function* () {
                const store = yield* build(layer)
                assert.strictEqual((yield* store.load).length, round)
                yield* store.commit([{ key: `round ${round}`, value: bytes("") }])
              })
            )
          }
        })
      )
    )

    it.live("random batches leave what a map would hold", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const store = yield* build(yield* makePlace)
          const model = new Map<string, string>()
          let seed = 1
          const next = (below: number) => {
            seed = (seed * 48_271) % 0x7fff_ffff
            return seed % below
          }
          for (let round = 0; round < 30; round++) {
            const changes = Array.from({ length: next(20) }, () => {
              const key = `k${next(30)}`
              return next(3) === 0 ? { key, value: undefined } : { key, value: bytes(`v${next(1000)}`) }
            })
            yield* store.commit(changes)
            for (const { key, value } of changes) {
              if (value === undefined) model.delete(key)
              else model.set(key, new TextDecoder().decode(value))
            }
          }
          const sorted = [...model].sort(([a], [b]) => (a < b ? -1 : 1))
          assert.deepStrictEqual(yield* contents(store), sorted)
        })
      )
    )
  })
}
