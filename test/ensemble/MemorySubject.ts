/** The ZooKeeper service as the subject of a script: it has one server, no faults, and watches of another kind. */
import { Effect, Exit, Option, Scope } from "effect"
import type { Server } from "../../src/layers/ZooKeeperServer.ts"
import * as ZooKeeperMemory from "../../src/layers/ZooKeeperMemory.ts"
import type { ZooKeeper, ZooKeeperError } from "../../src/services/ZooKeeper.ts"
import type { Subject } from "./Runner.ts"
import type { Observation, Reply, Request } from "./Script.ts"

interface Client {
  readonly scope: Scope.Closeable
  readonly zooKeeper: ZooKeeper["Service"]
  readonly observations: Array<Observation>
}

/** A server with an empty tree; it ends with the scope. */
export const makeSubject: Effect.Effect<Subject, never, Scope.Scope> = Effect.gen(function* () {
  const server: Server = yield* ZooKeeperMemory.makeServer
  const scope = yield* Effect.scope
  const clients = new Map<string, Client>()

  const clientOf = (client: string): Client => {
    const found = clients.get(client)
    if (found === undefined) throw new Error(`there is no client ${client}`)
    return found
  }
  const cannot = (what: string) => (): never => {
    throw new Error(`the server in memory has no ${what}`)
  }

  return {
    now: () => performance.now(),
    elapse: cannot("time of its own"),
    open: (client, at) => {
      if (at !== "leader") throw new Error("there is one server")
      return Effect.runPromise(
        Effect.gen(function* () {
          const sessionScope = yield* Scope.fork(scope)
          const { zooKeeper } = yield* Scope.provide(ZooKeeperMemory.connect(server), sessionScope)
          const { id } = yield* zooKeeper.session
          clients.set(client, { scope: sessionScope, zooKeeper, observations: [{ _tag: "Connected", session: id }] })
        })
      )
    },
    attach: cannot("connections that come again"),
    send: (name, requests) => {
      const client = clientOf(name)
      return Effect.runPromise(
        Effect.gen(function* () {
          const replies = yield* Effect.forEach(requests, (request) => ask(client, request), {
            concurrency: "unbounded"
          })
          for (const reply of replies) client.observations.push({ _tag: "Replied", reply })
        })
      )
    },
    drop: cannot("connections to cut"),
    next: (client) => {
      const observation = clientOf(client).observations.shift()
      if (observation === undefined) throw new Error(`${client} waits for ever`)
      return observation
    },
    hasNext: (client) => clientOf(client).observations.length > 0,
    fault: cannot("faults")
  }
})

const ask = ({ zooKeeper, scope }: Client, request: Request): Effect.Effect<Reply> => {
  if ("watch" in request && request.watch) throw new Error("the service has no one-shot watches")
  switch (request._tag) {
    case "Create":
      return reply(zooKeeper.create(request.path, request.data, request.mode), (made) => ({ _tag: "Create", ...made }))
    case "Delete":
      return reply(zooKeeper.delete(request.path, request.version), () => ({ _tag: "Delete" }))
    case "Set":
      return reply(zooKeeper.set(request.path, request.data, request.version), (stat) => ({ _tag: "Set", stat }))
    case "Multi":
      return reply(zooKeeper.multi(request.operations), (results) => ({ _tag: "Multi", results }))
    case "Get":
      return reply(zooKeeper.get(request.path), (znode) => ({ _tag: "Get", ...znode }))
    case "Exists":
      return reply(
        zooKeeper.exists(request.path),
        Option.match({
          onNone: () => ({ _tag: "Failed", error: "NoNode" }) as const,
          onSome: (stat) => ({ _tag: "Exists", stat }) as const
        })
      )
    case "Children":
      return reply(zooKeeper.children(request.path), (names) => ({ _tag: "Children", names }))
    case "Sync":
      return reply(zooKeeper.sync(request.path), () => ({ _tag: "Sync" }))
    case "Close":
      return Effect.as(Scope.close(scope, Exit.void), { _tag: "Close" })
    default:
      throw new Error(`the service has no ${request._tag}`)
  }
}

const reply = <A>(asked: Effect.Effect<A, ZooKeeperError>, from: (value: A) => Reply): Effect.Effect<Reply> =>
  asked.pipe(
    Effect.map(from),
    Effect.catch(({ reason, operation }): Effect.Effect<Reply> => {
      const failed = { _tag: "Failed", error: reason._tag } as const
      return Effect.succeed(operation === undefined ? failed : { ...failed, operation })
    })
  )
