/**
 * The broker: a Stream of passes over all of its connections. A pass takes everything that arrived in one turn of the
 * event loop, handles it in one synchronous run, and writes once to each connection that has something to be told.
 * What has to wait (the journal, the clock) comes back as work for a later pass.
 */
import { Context, Duration, Effect, Fiber, Layer, Random, Schedule, Stream } from "effect"
import * as Decoder from "../domain/packet/Decoder.ts"
import { makeWriter } from "../domain/packet/Encoder.ts"
import { ReasonCode } from "../domain/packet/ReasonCode.ts"
import * as TopicNames from "../domain/packet/TopicNames.ts"
import { TimerWheel } from "../domain/time/TimerWheel.ts"
import { Bank } from "./Bank.ts"
import { caughtUp, slowClient } from "./broker/BackPressure.ts"
import { type BrokerState, flush, type Limits, type LogLine, type Stats, statsOf } from "./broker/BrokerState.ts"
import { Connection, Phase } from "./broker/Connection.ts"
import { pump } from "./broker/Deliver.ts"
import { Encodings } from "./broker/Encodings.ts"
import { endConnection } from "./broker/End.ts"
import { closedByPeer, receive } from "./broker/Receive.ts"
import { recover } from "./broker/Recover.ts"
import { expireQueues, tick, tickMillis } from "./broker/Tick.ts"
import { Configuration } from "./Configuration.ts"
import { Journal } from "./Journal.ts"
import { Partitions } from "./Partitions.ts"
import { Passes } from "./Passes.ts"
import { Retained } from "./Retained.ts"
import { Router } from "./Router.ts"
import { SharedClock } from "./SharedClock.ts"
import { supervised } from "./Supervision.ts"
import { type Address, type Events, type ListenError, type Socket, Transport } from "./Transport.ts"
import type { ZooKeeperError } from "./ZooKeeper.ts"

/** Before a client has shown who it is, its packets may not be longer than this, in bytes. */
const maximumConnectSize = 64 * 1024

/** How often the queues of absent clients are looked through for what has expired. */
const queueExpiry = "1 minute"

export class Broker extends Context.Service<
  Broker,
  {
    /** Where clients can connect. */
    readonly address: Address
    /** Never succeeds; fails when the broker cannot go on. */
    readonly failure: Effect.Effect<never, ZooKeeperError>
    /** What the broker holds at present, and what it has counted. */
    readonly stats: () => Stats
  }
>()("mqttzoo/services/Broker") {
  static readonly layer: Layer.Layer<
    Broker,
    ListenError,
    Bank | Configuration | Journal | Partitions | Passes | Retained | Router | SharedClock | Transport
  > = Layer.effect(
    Broker,
    Effect.gen(function* () {
      const { config } = yield* Configuration
      const passes = yield* Passes
      const clock = yield* SharedClock
      const transport = yield* Transport
      const journal = yield* Journal
      const b = yield* makeState
      const encodings = new Encodings(b.frames)

      recover(b)

      const pass = (work: ReadonlyArray<() => void>): void => {
        b.now = clock.now()
        for (const run of work) run()
        do {
          while (b.released.length > 0) release(b, encodings)
          for (const c of b.tooSlow) endConnection(b, c, slowClient)
          b.tooSlow.clear()
          flush(b)
          // What was too much for one write may have been no trouble for the socket.
          for (const c of b.slow) caughtUp(b, c)
        } while (b.released.length > 0)
        encodings.clear()
      }
      const running = yield* Effect.forkScoped(
        supervised(
          "broker",
          Stream.runForEach(passes.passes, (work) =>
            Effect.suspend(() => {
              pass(work)
              return b.logs.length === 0 ? Effect.void : writeLogs(b.logs.splice(0))
            })
          )
        ),
        { startImmediately: true }
      )
      yield* every(`${tickMillis} millis`, () => passes.add(() => tick(b, encodings)))
      yield* every(queueExpiry, () => passes.add(() => expireQueues(b)))

      const sockets = new Set<Socket>()
      let whenAllClosed: (() => void) | undefined

      const accept = (socket: Socket): Events => {
        const decoder = Decoder.make({ role: "server", maximumPacketSize: maximumConnectSize, topics: b.topics })
        const c = new Connection(socket, decoder, b.now)
        sockets.add(socket)
        passes.add(() => opened(b, c))
        return {
          data: (bytes) => passes.add(() => received(b, c, bytes, encodings)),
          drained: () => passes.add(() => drained(b, c)),
          closed: () => {
            sockets.delete(socket)
            if (sockets.size === 0) whenAllClosed?.()
            passes.add(() => closedByPeer(b, c))
          }
        }
      }

      // Registered before the listener, so that it runs when nobody is accepted any more.
      yield* Effect.addFinalizer(() =>
        Effect.callback<void>((resume) => {
          passes.add(() => {
            for (const c of b.connections) endConnection(b, c, shuttingDown)
            resume(Effect.void)
          })
        }).pipe(
          Effect.andThen(journal.flushed),
          Effect.andThen(
            Effect.callback<void>((resume) => {
              whenAllClosed = () => resume(Effect.void)
              if (sockets.size === 0) whenAllClosed()
            })
          ),
          Effect.interruptible,
          Effect.timeoutOrElse({
            duration: config.shutdown.graceTime,
            orElse: () => Effect.logWarning("the grace time was over before all connections were closed")
          })
        )
      )
      const address = yield* transport.listen(config.listeners.tcp, accept)
      return Broker.of({
        address,
        // The passes end with the scope. When they end before, it is by a bug of ours.
        failure: Effect.raceFirst(journal.failure, Effect.andThen(Fiber.join(running), Effect.never)),
        stats: () => statsOf(b)
      })
    })
  )
}

const shuttingDown = { reasonCode: ReasonCode.ServerShuttingDown, detail: "the server is shutting down" }

/** Runs something again and again for the life of the scope. */
const every = (interval: Duration.Input, run: () => void) =>
  Effect.forkScoped(supervised("timer", Effect.repeat(Effect.sync(run), Schedule.spaced(interval))))

const opened = (b: BrokerState, c: Connection): void => {
  if (c.phase === Phase.Closed) return
  if (b.connections.size >= b.limits.maximumConnections) {
    c.phase = Phase.Closed
    c.socket.destroy()
    return
  }
  b.connections.add(c)
  b.counts.connections++
  b.deadlines.set(c, b.now + b.limits.connectTimeout)
}

/**
 * Bytes have come. A handler that throws is a bug of ours, which must not reach beyond the connection that found it.
 */
const received = (b: BrokerState, c: Connection, bytes: Buffer, encodings: Encodings): void => {
  if (c.phase === Phase.Closed) return
  c.lastReceived = b.now
  try {
    c.decoder.push(bytes)
    receive(b, c, encodings)
  } catch (defect) {
    defective(b, c, defect)
  }
}

const defective = (b: BrokerState, c: Connection, defect: unknown): void => {
  b.logs.push({
    level: "Error",
    message: "a packet could not be handled: please report this",
    annotations: { address: c.socket.remoteAddress, clientId: c.clientId, defect }
  })
  endConnection(b, c, { reasonCode: ReasonCode.UnspecifiedError, detail: "internal error" })
}

/** The connection has taken all that was written to it: on with what waits in the session. */
const drained = (b: BrokerState, c: Connection): void => {
  if (!c.isCongested || c.phase !== Phase.Open) return
  c.isCongested = false
  pump(b, c.subscriber!)
}

/** Lets the connections go on that had been held, with the packets that they have sent meanwhile. */
const release = (b: BrokerState, encodings: Encodings): void => {
  const released = b.released
  b.released = []
  for (const c of released) {
    c.holds--
    if (c.isHeld || c.phase === Phase.Closed) continue
    // What it had to say while it was not read is still on its way: its keep-alive begins anew.
    c.lastReceived = b.now
    c.socket.resume()
    try {
      receive(b, c, encodings)
    } catch (defect) {
      defective(b, c, defect)
    }
    if (c.isLeft) closedByPeer(b, c)
  }
}

const makeState = Effect.gen(function* () {
  const { config } = yield* Configuration
  const clock = yield* SharedClock
  const random = yield* Random.Random
  const { limits, session } = config
  const now = clock.now()
  const plain: Limits = {
    maximumPacketSize: limits.maximumPacketSize,
    connectTimeout: Duration.toMillis(limits.connectTimeout),
    maximumConnections: limits.maximumConnections,
    maximumClientIdLength: limits.maximumClientIdLength,
    maximumTopicLevels: limits.maximumTopicLevels,
    maximumFiltersPerSubscribe: limits.maximumFiltersPerSubscribe,
    maximumSubscriptionsPerClient: limits.maximumSubscriptionsPerClient,
    receiveMaximum: limits.receiveMaximum,
    maximumInflight: limits.maximumInflight,
    topicAliasMaximum: limits.topicAliasMaximum,
    queueMessages: limits.queue.messages,
    queueBytes: limits.queue.bytes,
    outboxMessages: limits.outbox.messages,
    outboxBytes: limits.outbox.bytes,
    maximumExpiryInterval: Math.floor(Duration.toSeconds(session.maximumExpiryInterval)),
    maximumKeepAlive: Math.floor(Duration.toSeconds(session.maximumKeepAlive))
  }
  const state: BrokerState = {
    config,
    limits: plain,
    router: yield* Router,
    retained: yield* Retained,
    partitions: yield* Partitions,
    journal: yield* Journal,
    bank: yield* Bank,
    nextRandom: () => random.nextIntUnsafe(),
    topics: TopicNames.make(),
    frames: makeWriter(),
    replies: makeWriter(),
    now,
    tickedAt: now,
    awakeSince: now,
    touched: [],
    outboxes: [],
    clients: new Map(),
    subscribers: new Map(),
    connections: new Set(),
    deadlines: new TimerWheel(tickMillis, now),
    sessionEnds: new TimerWheel(tickMillis, now),
    willsDue: new TimerWheel(tickMillis, now),
    refused: new Set(),
    tooSlow: new Set(),
    slow: new Set(),
    released: [],
    sawCongestion: false,
    heldByJournal: new Set(),
    logs: [],
    counts: { connections: 0, droppedQoS0: 0, droppedTooLarge: 0, refused: 0 }
  }
  return state
})

const writeLogs = (lines: ReadonlyArray<LogLine>) =>
  Effect.forEach(
    lines,
    ({ level, message, annotations }) => Effect.annotateLogs(Effect.logWithLevel(level)(message), annotations),
    { discard: true }
  )
