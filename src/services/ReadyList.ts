/**
 * Things that happen one by one and are dealt with together. Socket callbacks, commits and clocks add to the list; who
 * takes gets all that one turn of the event loop brought, and what comes while it is busy waits for the next turn.
 */
import { Effect, Stream } from "effect"

export interface ReadyList<A> {
  /** Adds one thing. Synchronous and cheap: it runs no code of the taker. */
  readonly add: (item: A) => void
  /** Waits until there is something and the turn is over, then takes all of it. For one taker at a time. */
  readonly take: Effect.Effect<ReadonlyArray<A>>
  /** All that `take` gives, one element a turn. */
  readonly passes: Stream.Stream<ReadonlyArray<A>>
}

export const make = <A>(): ReadyList<A> => {
  let items: Array<A> = []
  let waiter: (() => void) | undefined
  const arrival = Effect.callback<void>((resume) => {
    if (items.length > 0) return resume(Effect.void)
    waiter = () => resume(Effect.void)
    return Effect.sync(() => {
      waiter = undefined
    })
  })
  // The yield puts the taker behind the callbacks of the present turn.
  const take = Effect.andThen(
    Effect.andThen(arrival, Effect.yieldNow),
    Effect.sync(() => {
      const taken = items
      items = []
      return taken
    })
  )
  return {
    add: (item) => {
      items.push(item)
      const wake = waiter
      waiter = undefined
      wake?.()
    },
    take,
    passes: Stream.fromEffectRepeat(take)
  }
}
