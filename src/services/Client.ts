/**
 * An MQTT client: one session with a server, over one connection after the other. It is for programs that publish and
 * subscribe, and what `mqttzoo pub` and `mqttzoo sub` are made of.
 *
 * Everything that touches the connection happens in passes, as in the broker: a pass deals with all that one turn of the
 * event loop brought, and writes once. So a publisher that has many messages under way costs one write a turn, not one a
 * message.
 */
import { type Array as Arr, Cause, Clock, Context, Deferred, Duration, Effect, Layer } from "effect"
import { type Pull, Random, Redacted, Result, Schedule, Schema, type Scope, Stream, SubscriptionRef } from "effect"
import { ClientError, invalid, isTransient } from "../domain/client/ClientError.ts"
import type { Acknowledgement, OutgoingMessage, ReceivedMessage } from "../domain/client/ClientSession.ts"
import { rejected } from "../domain/client/ClientSession.ts"
import { connectAgain, connectPacket, type ConnectRequest } from "../domain/client/ConnectRequest.ts"
import type {
  ConnAck,
  Connect,
  Disconnect,
  Packet,
  SubAck,
  SubscriptionRequest,
  UnsubAck
} from "../domain/packet/Packet.ts"
import * as PacketSchema from "../domain/packet/Packet.ts"
import {
  type DisconnectProperties,
  PublishProperties,
  type SubscribeProperties,
  type UnsubscribeProperties
} from "../domain/packet/Property.ts"
import { parseTopicFilter } from "../domain/topic/TopicFilter.ts"
import { isTopicName } from "../domain/topic/TopicName.ts"
import { type Connection, type Direction, type Taker, Wire } from "./client/Wire.ts"
import { Dialer } from "./Dialer.ts"
import { supervised } from "./Supervision.ts"

/** How a client tries to get a lost connection back: after a delay that doubles, with jitter. */
export interface ReconnectOptions {
  /** The delay before the first attempt [250 ms]. */
  readonly initial?: Duration.Input
  /** The longest delay [30 seconds]. */
  readonly maximum?: Duration.Input
}

/** What a client is told; what is left out has the value in brackets. */
export interface ClientOptions extends Omit<ConnectRequest, "password"> {
  readonly password?: Redacted.Redacted<string | Uint8Array>
  /** QoS 1 and 2 messages under way at once; the server's Receive Maximum lowers it [65,535]. */
  readonly sendMaximum?: number
  /** From dialling to the CONNACK [10 seconds]. */
  readonly connectTimeout?: Duration.Input
  /** Whether and how to reconnect after a connection that had been accepted is lost [yes]. */
  readonly reconnect?: ReconnectOptions | false
  /** Messages that may wait to be taken before the client stops reading [1,024]. */
  readonly inboxMessages?: number
  /** Bytes that may wait in the socket before the client stops sending [256 KiB]. */
  readonly outboxBytes?: number
  /** Called with each packet that comes or goes, in the pass: it must be quick and may not throw. */
  readonly trace?: (direction: Direction, packet: Packet) => void
}

/** What to publish. A string is sent as UTF-8. */
export interface PublishOptions {
  readonly qos?: OutgoingMessage["qos"]
  readonly retain?: boolean
  readonly properties?: NonNullable<OutgoingMessage["properties"]>
}

/** A filter to subscribe to; QoS 0 and the options' zero values unless told otherwise (section 3.8.3.1). */
export interface SubscriptionOptions extends Partial<SubscriptionRequest> {
  readonly filter: string
}

/** How a client says goodbye (section 3.14). */
export interface DisconnectOptions {
  /** 0x04 has the server publish the will. */
  readonly reasonCode?: Disconnect["reasonCode"]
  readonly properties?: DisconnectProperties
}

/** The life of a client's connection. */
export type ConnectionState =
  | { readonly _tag: "Connected"; readonly sessionPresent: boolean; readonly clientId: string }
  | {
      readonly _tag: "Reconnecting"
      readonly error: ClientError
      readonly attempt: number
      readonly delayMillis: number
    }
  | { readonly _tag: "Closed"; readonly error: ClientError }

export class Client extends Context.Service<
  Client,
  {
    /**
     * Publishes a message. Completes when it is written (QoS 0) or acknowledged (QoS 1, 2); while the connection is lost
     * it waits. A message of QoS 1 or 2 is sent until it is acknowledged, whatever becomes of the fiber that waits.
     * Exactly once holds as long as the session does.
     */
    readonly publish: (
      topic: string,
      payload: Uint8Array | string,
      options?: PublishOptions
    ) => Effect.Effect<Acknowledgement, ClientError>
    /**
     * Publishes many messages in one go and in order; completes when all are written or acknowledged. Here a refusal is
     * no error: it is in the acknowledgement (reason code 0x80 and above).
     */
    readonly publishAll: (
      messages: ReadonlyArray<OutgoingMessage>
    ) => Effect.Effect<ReadonlyArray<Acknowledgement>, ClientError>
    /** Subscribes; gives a reason code for each filter: the granted QoS, or 0x80 and above for a refusal. */
    readonly subscribe: (
      subscriptions: ReadonlyArray<SubscriptionOptions>,
      properties?: SubscribeProperties
    ) => Effect.Effect<SubAck["reasonCodes"], ClientError>
    /** Ends subscriptions; gives a reason code for each filter, none before MQTT 5.0. */
    readonly unsubscribe: (
      filters: ReadonlyArray<string>,
      properties?: UnsubscribeProperties
    ) => Effect.Effect<UnsubAck["reasonCodes"], ClientError>
    /** Waits for messages and takes up to `limit` of them; those of QoS 1 and 2 are acknowledged then. */
    readonly take: (limit: number) => Effect.Effect<Arr.NonEmptyReadonlyArray<ReceivedMessage>, ClientError>
    /** All messages that arrive, taken as they are pulled. Ends when the client is disconnected. */
    readonly messages: Stream.Stream<ReceivedMessage, ClientError>
    /** The state of the connection and its changes. */
    readonly states: Stream.Stream<ConnectionState>
    /** Never succeeds; fails when the client has come to its end, with `Disconnected` as the reason if it was told to. */
    readonly failure: Effect.Effect<never, ClientError>
    /** Says goodbye and closes the connection. What is under way fails with `Disconnected`. */
    readonly disconnect: (options?: DisconnectOptions) => Effect.Effect<void>
  }
>()("mqttzoo/services/Client") {
  /** A client that is connected; fails when the first connection cannot be made. Its scope's end disconnects it. */
  static readonly make = (
    options: ClientOptions = {}
  ): Effect.Effect<Client["Service"], ClientError, Dialer | Scope.Scope> => makeClient(options)

  /** The same as a layer. */
  static readonly layer = (options: ClientOptions = {}): Layer.Layer<Client, ClientError, Dialer> =>
    Layer.effect(Client, makeClient(options))
}

/** Messages that the Stream takes at once. */
const messagesAtOnce = 1_024

const bytesOf = (text: string | Uint8Array): Uint8Array => (typeof text === "string" ? Buffer.from(text) : text)

const disconnectedError = new ClientError({ reason: { _tag: "Disconnected" } })

const makeClient = Effect.fnUntraced(function* (options: ClientOptions) {
  const clock = yield* Clock.Clock
  const { password, ...request } = options
  const firstConnect = yield* Effect.fromResult(
    connectPacket({ ...request, ...(password !== undefined && { password: bytesOf(Redacted.value(password)) }) })
  )
  const wire = new Wire({
    version: firstConnect.protocolVersion,
    sendMaximum: options.sendMaximum ?? 65_535,
    inboxMessages: options.inboxMessages ?? 1_024,
    outboxBytes: options.outboxBytes ?? 256 * 1024,
    trace: options.trace
  })
  yield* Effect.forkScoped(
    supervised(
      "client",
      Stream.runForEach(wire.ready.passes, (work) => Effect.sync(() => wire.run(work, clock.currentTimeMillisUnsafe())))
    ),
    { startImmediately: true }
  )

  const open = yield* makeOpen(wire, options.connectTimeout ?? "10 seconds")
  const first = yield* open(firstConnect)
  const clientId = first.connAck.properties?.assignedClientIdentifier ?? firstConnect.clientId
  const connected = ({ connAck }: Opened): ConnectionState => ({
    _tag: "Connected",
    sessionPresent: connAck.sessionPresent,
    clientId
  })
  const state = yield* SubscriptionRef.make<ConnectionState>(connected(first))
  const ended = yield* Deferred.make<never, ClientError>()
  /** Told to end while there is no connection to say goodbye on. */
  const abandoned = yield* Deferred.make<never, ClientError>()

  const { reconnect = {} } = options
  const again = connectAgain(firstConnect, first.connAck.properties?.assignedClientIdentifier)
  const keepConnected = Effect.gen(function* () {
    let opened = first
    for (;;) {
      const error = yield* Deferred.await(opened.lost)
      if (reconnect === false || !isTransient(error)) return yield* error
      opened = yield* reopen(open(again), error, reconnect, state)
      yield* SubscriptionRef.set(state, connected(opened))
    }
  })
  const finish = (error: ClientError) =>
    Effect.andThen(
      Effect.callback<void>((resume) =>
        wire.ready.add(() => {
          wire.finish(error)
          resume(Effect.void)
        })
      ),
      Effect.andThen(SubscriptionRef.set(state, { _tag: "Closed", error }), Deferred.fail(ended, error))
    )
  yield* Effect.forkScoped(
    supervised(
      "client",
      Effect.catchTag(Effect.raceFirst(keepConnected, Deferred.await(abandoned)), "ClientError", finish)
    )
  )
  const { keepAlive = 60 } = options
  const interval = Math.min(1_000, Math.max(100, keepAlive * 100))
  yield* Effect.forkScoped(
    supervised(
      "client",
      Effect.repeat(
        Effect.sync(() => wire.ready.add(() => wire.tick())),
        Schedule.spaced(Duration.millis(interval))
      )
    )
  )

  const disconnect = ({ reasonCode = 0, properties }: DisconnectOptions = {}) =>
    Effect.suspend(() => {
      wire.ready.add(() => {
        if (wire.failure !== undefined) return
        const packet: Disconnect = { _tag: "Disconnect", reasonCode, ...(properties !== undefined && { properties }) }
        if (!wire.disconnect(packet)) Deferred.doneUnsafe(abandoned, Effect.fail(disconnectedError))
      })
      return Effect.ignore(Deferred.await(ended))
    })
  // Registered last, so that it runs while the passes still do.
  yield* Effect.addFinalizer(() => disconnect())

  return { ...requestsOf(wire), states: SubscriptionRef.changes(state), failure: Deferred.await(ended), disconnect }
})

/** A connection that was accepted, and how to hear of its end. */
interface Opened {
  readonly connAck: ConnAck
  readonly lost: Deferred.Deferred<ClientError>
}

/** How a connection is opened: dialled, asked for with a CONNECT, and accepted by a CONNACK, all within the timeout. */
const makeOpen = Effect.fnUntraced(function* (wire: Wire, timeout: Duration.Input) {
  const { dial } = yield* Dialer
  const millis = Duration.toMillis(timeout)
  const timedOut = new ClientError({ reason: { _tag: "Timeout", awaited: "CONNACK", millis } })
  return (connect: Connect): Effect.Effect<Opened, ClientError> =>
    Effect.suspend(() => {
      const accepted = Deferred.makeUnsafe<Opened, ClientError>()
      const lost = Deferred.makeUnsafe<ClientError>()
      const c: Connection = wire.prepare(
        connect,
        (connAck) => Deferred.doneUnsafe(accepted, Effect.succeed({ connAck, lost })),
        (error) => {
          Deferred.doneUnsafe(accepted, Effect.fail(error))
          Deferred.doneUnsafe(lost, Effect.succeed(error))
        }
      )
      const giveUp = Effect.sync(() => wire.ready.add(() => wire.end(c, disconnectedError)))
      return Effect.uninterruptibleMask((restore) =>
        restore(dial(wire.eventsOf(c))).pipe(
          Effect.mapError(
            ({ address, detail }) => new ClientError({ reason: { _tag: "Unreachable", address, detail } })
          ),
          Effect.tap((socket) => Effect.sync(() => wire.ready.add(() => wire.dialled(c, socket)))),
          Effect.andThen(restore(Deferred.await(accepted)))
        )
      ).pipe(
        Effect.timeoutOrElse({ duration: timeout, orElse: () => Effect.fail(timedOut) }),
        Effect.onError(() => giveUp)
      )
    })
})

/** Opens a connection again, as often as it takes or until the server says no for good. */
const reopen = Effect.fnUntraced(function* (
  open: Effect.Effect<Opened, ClientError>,
  lost: ClientError,
  { initial = "250 millis", maximum = "30 seconds" }: ReconnectOptions,
  state: SubscriptionRef.SubscriptionRef<ConnectionState>
) {
  let error = lost
  for (let attempt = 1; ; attempt++) {
    const backOff = Math.min(Duration.toMillis(maximum), Duration.toMillis(initial) * 2 ** (attempt - 1))
    // Between half and all of it: clients that lost the same server do not come back at the same moment.
    const delayMillis = Math.round(backOff * (1 - (yield* Random.next) / 2))
    yield* SubscriptionRef.set(state, { _tag: "Reconnecting", error, attempt, delayMillis })
    yield* Effect.sleep(Duration.millis(delayMillis))
    const outcome = yield* Effect.result(open)
    if (Result.isSuccess(outcome)) return outcome.success
    error = outcome.failure
    if (!isTransient(error)) return yield* error
  }
})

const decodePublishProperties = Schema.decodeResult(Schema.toType(PublishProperties))
const decodeSubscribe = Schema.decodeResult(Schema.toType(PacketSchema.Subscribe))
const decodeUnsubscribe = Schema.decodeResult(Schema.toType(PacketSchema.Unsubscribe))

const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ")

/** The largest payload, with room for the longest topic and properties, in bytes (section 2.1.4). */
const maximumPayload = 268_000_000

/** What can be asked of a client, each in a pass. */
const requestsOf = (wire: Wire) => {
  /** Properties that were looked at last: those of many messages are often the same. */
  let known: PublishOptions["properties"] | undefined

  const objection = ({ topic, payload, properties }: OutgoingMessage): ClientError | undefined => {
    if (!isTopicName(topic)) return invalid(`${JSON.stringify(topic)} is not a topic that can be published to`)
    if (payload.length > maximumPayload) return invalid(`a payload of ${payload.length} bytes is too long for MQTT`)
    if (properties === undefined || properties === known) return undefined
    const checked = decodePublishProperties(properties)
    if (Result.isFailure(checked)) return invalid(`the message's properties: ${oneLine(checked.failure.message)}`)
    known = properties
    return undefined
  }

  /** Asks for something in a pass, unless it is all over. */
  const ask = <A>(request: (settle: (outcome: A | ClientError) => void) => void): Effect.Effect<A, ClientError> =>
    Effect.callback<A, ClientError>((resume) => {
      const settle = (outcome: A | ClientError) =>
        void wire.settled.push(() =>
          resume(outcome instanceof ClientError ? Effect.fail(outcome) : Effect.succeed(outcome))
        )
      wire.ready.add(() => (wire.failure === undefined ? request(settle) : settle(wire.failure)))
    })

  const publishAll = (
    messages: ReadonlyArray<OutgoingMessage>
  ): Effect.Effect<ReadonlyArray<Acknowledgement>, ClientError> => {
    if (messages.length === 0) return Effect.succeed([])
    for (const message of messages) {
      const problem = objection(message)
      if (problem !== undefined) return Effect.fail(problem)
    }
    return ask((settle) => {
      const acknowledgements: Array<Acknowledgement> = []
      let left = messages.length
      let failure: ClientError | undefined
      for (const [index, message] of messages.entries()) {
        wire.session.publish(message, wire.now, (outcome) => {
          if (outcome instanceof ClientError) failure ??= outcome
          else acknowledgements[index] = outcome
          if (--left === 0) settle(failure ?? acknowledgements)
        })
      }
    })
  }

  const publish: Client["Service"]["publish"] = (topic, payload, { qos = 0, retain = false, properties } = {}) =>
    Effect.flatMap(
      publishAll([{ topic, payload: bytesOf(payload), qos, retain, ...(properties !== undefined && { properties }) }]),
      ([acknowledgement]) =>
        acknowledgement!.reasonCode >= 0x80
          ? Effect.fail(rejected("PUBLISH", acknowledgement!))
          : Effect.succeed(acknowledgement!)
    )

  const subscribe: Client["Service"]["subscribe"] = (subscriptions, properties) =>
    Effect.suspend(() => {
      for (const { filter } of subscriptions) {
        const parsed = parseTopicFilter(filter)
        if (Result.isFailure(parsed)) return Effect.fail(wrongFilter(filter, parsed.failure.detail))
      }
      const checked = decodeSubscribe({
        _tag: "Subscribe",
        packetId: 1,
        subscriptions: subscriptions.map((subscription) => ({ ...plainSubscription, ...subscription })) as never,
        ...(properties !== undefined && { properties })
      })
      if (Result.isFailure(checked)) return Effect.fail(invalid(oneLine(checked.failure.message)))
      return Effect.map(
        ask<SubAck>((settle) => wire.session.subscribe(checked.success.subscriptions, properties, settle)),
        ({ reasonCodes }) => reasonCodes
      )
    })

  const unsubscribe: Client["Service"]["unsubscribe"] = (filters, properties) =>
    Effect.suspend(() => {
      const checked = decodeUnsubscribe({
        _tag: "Unsubscribe",
        packetId: 1,
        filters: filters as never,
        ...(properties !== undefined && { properties })
      })
      if (Result.isFailure(checked)) return Effect.fail(invalid(oneLine(checked.failure.message)))
      return Effect.map(
        ask<UnsubAck>((settle) => wire.session.unsubscribe(checked.success.filters, properties, settle)),
        ({ reasonCodes }) => reasonCodes
      )
    })

  const take: Client["Service"]["take"] = (limit) =>
    Effect.callback<Arr.NonEmptyReadonlyArray<ReceivedMessage>, ClientError>((resume) => {
      const taker: Taker = {
        limit,
        give: (messages) => resume(Effect.succeed(messages)),
        fail: (error) => resume(Effect.fail(error))
      }
      wire.ready.add(() => wire.addTaker(taker))
      return Effect.sync(() => wire.removeTaker(taker))
    })

  const messages = Stream.fromPull(
    Effect.succeed(
      Effect.catchTag(take(messagesAtOnce), "ClientError", (error): Pull.Pull<never, ClientError> =>
        error.reason._tag === "Disconnected" ? Cause.done() : Effect.fail(error)
      )
    )
  )

  return { publish, publishAll, subscribe, unsubscribe, take, messages }
}

const plainSubscription = { qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const

const wrongFilter = (filter: string, detail: string): ClientError =>
  invalid(`the topic filter ${JSON.stringify(filter)} ${detail}`)
