/** Brokers that use a simulated ensemble while faults strike, and what must hold whatever strikes. */
import { Duration, Effect, Option, Random, Stream } from "effect"
import { brokerHost } from "../../../src/domain/simulation/Plan.ts"
import type { RandomStream } from "../../../src/domain/simulation/RandomStream.ts"
import { childrenOf } from "../../../src/domain/zookeeper/DataTree.ts"
import { check, create, set } from "../../../src/domain/zookeeper/Znode.ts"
import type { Dial } from "../../../src/layers/zookeeper/Client.ts"
import type { Request } from "../../../src/layers/zookeeper/Protocol.ts"
import * as ZooKeeperSimulated from "../../../src/layers/simulation/zookeeper/ZooKeeperSimulated.ts"
import * as Service from "../../../src/layers/zookeeper/Service.ts"
import type { Session, ZooKeeper, ZooKeeperError } from "../../../src/services/ZooKeeper.ts"
import { sessionTimeoutMillis, World } from "./ZooKeeperWorld.ts"

const empty = new Uint8Array(0)
const chaosSeconds = 30
/** Within so many seconds after the last fault everything works again. */
const healSeconds = (3 * sessionTimeoutMillis) / 1000 + 5

/** Nobody is without luck for so long when all is well. */
const quietMicros = 2_000_000

/** Writes with names of their own, by what their writer was told. */
interface Ledger {
  readonly acknowledged: Set<string>
  readonly refused: Set<string>
  /** Acknowledged increments of the shared counter, and those with unknown outcome. */
  increments: number
  perhaps: number
  /** Whether the writers are to stop. */
  isQuiet: boolean
}

interface Broker {
  readonly host: string
  readonly sessions: Array<Session>
  /** What its watches saw last. */
  version: number
  names: ReadonlyArray<string>
  /** Virtual time of its last operation that has succeeded, in microseconds. */
  succeededAt: number
}

/** What one run has come to. `violations` is empty when all rules held. */
export interface Chaos {
  readonly world: World
  readonly brokers: ReadonlyArray<Broker>
  readonly violations: ReadonlyArray<string>
  readonly acknowledged: number
  readonly perhaps: number
}

/**
 * Looks at all that a client hears: replies in the order of the requests; zxids that never go back; and no change that
 * a watch was set for is shown before the watch has told of it.
 */
const monitored = (dial: Dial, violate: (why: string) => void): Dial => {
  let lastZxid = 0
  return (server, handlers) => {
    let isOver = false
    const asked: Array<{ readonly xid: number; readonly request: Request }> = []
    /** By path, the zxid that a read with a watch has shown; absent when the watch has fired. */
    const watched = { data: new Map<string, number>(), children: new Map<string, number>() }
    const show = (request: Request, zxid: number) => {
      if (request._tag !== "Get" && request._tag !== "Exists" && request._tag !== "Children") return
      const armed = watched[request._tag === "Children" ? "children" : "data"]
      const before = armed.get(request.path)
      if (before !== undefined && before !== zxid) violate(`${request.path} changed before its event`)
      if (request.watch && (zxid > 0 || request._tag === "Exists")) armed.set(request.path, zxid)
    }
    const wire = dial(server, {
      ...handlers,
      message: (message) => {
        // The client has turned away: nobody sees it any more.
        if (isOver) return
        if (message._tag === "Notification") {
          if (message.type !== "NodeChildrenChanged") watched.data.delete(message.path)
          if (message.type === "NodeChildrenChanged" || message.type === "NodeDeleted") {
            watched.children.delete(message.path)
          }
        } else if (message._tag === "Reply") {
          const first = asked.shift()
          if (first?.xid !== message.xid) violate(`reply ${message.xid} instead of ${first?.xid}`)
          if (message.zxid < lastZxid) violate(`zxid ${message.zxid} after ${lastZxid}`)
          lastZxid = Math.max(lastZxid, message.zxid)
          if (first !== undefined && message.answer._tag === "Done") {
            const value = message.answer.value as
              | { stat?: { mzxid: number; pzxid: number }; mzxid?: number }
              | undefined
            const isChildren = first.request._tag === "Children"
            show(first.request, (isChildren ? value?.stat?.pzxid : (value?.stat?.mzxid ?? value?.mzxid)) ?? 0)
          } else if (first?.request._tag === "Get") {
            show(first.request, 0)
          }
        }
        handlers.message(message)
      }
    })
    return {
      send: (message) => {
        if (message._tag === "Ask") asked.push(message)
        wire.send(message)
      },
      close: () => {
        isOver = true
        wire.close()
      }
    }
  }
}

/** What a broker does all the time: it writes, reads what others have written, and keeps an ephemeral znode. */
const work = Effect.fnUntraced(function* (
  zk: ZooKeeper["Service"],
  broker: Broker,
  ledger: Ledger,
  violate: (why: string) => void,
  succeeded: () => void
) {
  const own = `/log/${broker.host}`
  const acknowledge = (names: ReadonlyArray<string>) => {
    for (const name of names) ledger.acknowledged.add(name)
    succeeded()
  }
  const note = (name: string) => (error: ZooKeeperError) =>
    Effect.sync(() => {
      if (error.reason._tag !== "ConnectionLoss") ledger.refused.add(name)
    })
  for (let count = 0; !ledger.isQuiet; count++) {
    yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(20, 300)))
    const name = `${own}-${count}`
    switch (yield* Random.nextIntBetween(0, 6)) {
      case 0:
        yield* zk
          .create(name, empty)
          .pipe(Effect.andThen(Effect.sync(() => ledger.acknowledged.add(name))), Effect.catch(note(name)))
        break
      case 1: {
        const names = [`${name}-a`, `${name}-b`, `${name}-c`]
        yield* zk.multi([check("/counter"), ...names.map((each) => create(each, empty))]).pipe(
          Effect.andThen(Effect.sync(() => acknowledge(names))),
          Effect.catch((error) => Effect.forEach(names, (each) => note(each)(error)))
        )
        break
      }
      case 2: {
        const found = yield* Effect.option(zk.get("/counter"))
        if (Option.isNone(found)) break
        succeeded()
        yield* zk.multi([set("/counter", empty, found.value.stat.version)]).pipe(
          Effect.andThen(Effect.sync(() => ledger.increments++)),
          Effect.catch(({ reason }) =>
            Effect.sync(() => {
              if (reason._tag === "ConnectionLoss") ledger.perhaps++
            })
          )
        )
        break
      }
      case 3: {
        const written = [...ledger.acknowledged].at(-1)
        const refused = [...ledger.refused].at(-1)
        if (Option.isNone(yield* Effect.option(zk.sync("/")))) break
        succeeded()
        if (written !== undefined) {
          const stat = yield* Effect.option(zk.exists(written))
          if (Option.isSome(stat) && Option.isNone(stat.value)) violate(`${written} is not seen after a sync`)
        }
        if (refused !== undefined) {
          const stat = yield* Effect.option(zk.exists(refused))
          if (Option.isSome(stat) && Option.isSome(stat.value)) violate(`${refused} was refused and is there`)
        }
        break
      }
      case 4: {
        const { id, state } = yield* zk.session
        const made = yield* Effect.option(zk.create(`/e/${broker.host}-${count}`, empty, "Ephemeral"))
        if (state !== "Connected" || Option.isNone(made)) break
        const after = yield* zk.session
        if (after.id === id && made.value.stat.ephemeralOwner !== id) violate("an ephemeral znode of another session")
        break
      }
      default:
        if (Option.isSome(yield* Effect.option(zk.children("/log")))) succeeded()
    }
  }
})

const program = (world: World, broker: Broker, ledger: Ledger, violate: (why: string) => void) =>
  Effect.gen(function* () {
    const dial = monitored(ZooKeeperSimulated.dialOver(world.network, world.process(broker.host)), violate)
    const zk = yield* Service.make(dial, { servers: world.ensemble.hosts, sessionTimeoutMillis })
    yield* zk.sessionChanges.pipe(
      Stream.runForEach((session) => Effect.sync(() => broker.sessions.push(session))),
      Effect.forkScoped
    )
    yield* zk.watch("/counter").pipe(
      Stream.runForEach((znode) =>
        Effect.sync(() => {
          const version = Option.isSome(znode) ? znode.value.stat.version : -1
          if (version < broker.version) violate(`a watch goes back from version ${broker.version} to ${version}`)
          broker.version = version
        })
      ),
      Effect.forkScoped
    )
    yield* zk.watchChildren("/log").pipe(
      Stream.runForEach((names) => Effect.sync(() => (broker.names = names))),
      Effect.forkScoped
    )
    yield* work(zk, broker, ledger, violate, () => (broker.succeededAt = world.kernel.now))
    return yield* Effect.never
  })

/** What strikes: each only for a while, and all that a real ensemble may go through. */
const strike = ({ ensemble, kernel, network }: World, random: RandomStream, hosts: ReadonlyArray<string>): void => {
  const micros = random.between(50_000, 4_000_000)
  const later = (undo: () => void) => kernel.later(micros, undo)
  const server = random.below(ensemble.hosts.length)
  const host = random.pick(hosts)
  switch (random.below(8)) {
    case 0:
      ensemble.loseLeader(micros)
      break
    case 1:
      ensemble.kill(server)
      later(() => ensemble.restart(server))
      break
    case 2:
      ensemble.lag(server, random.between(1000, 2_000_000))
      later(() => ensemble.lag(server, 0))
      break
    case 3:
      ensemble.loseReplies(random.float() * 0.3)
      later(() => ensemble.loseReplies(0))
      break
    case 4:
      ensemble.slowCommits(random.between(1000, 300_000))
      later(() => ensemble.slowCommits(0))
      break
    case 5:
      ensemble.expire(host)
      break
    case 6: {
      const to = ensemble.hosts[server]!
      const both = random.chance(0.5)
      network.cut(host, to)
      if (both) network.cut(to, host)
      later(() => {
        network.mend(host, to)
        if (both) network.mend(to, host)
      })
      break
    }
    default:
      ensemble.pause(server)
      later(() => ensemble.resume(server))
  }
}

/** Runs brokers, faults, and the time after that in which all must be well again. */
export const run = (seed: number): Chaos => {
  const policies = ["random", "priorities", "fifo"] as const
  const world = new World({ seed, policy: policies[seed % 3]!, preemption: [0, 0.002, 0.02, 0.1][seed % 4]! })
  const { ensemble, kernel } = world
  const random = kernel.stream("test")
  const violations: Array<string> = []
  const violate = (why: string) => {
    if (violations.length < 10) violations.push(`${(kernel.now / 1e6).toFixed(3)} s: ${why}`)
  }
  const ledger: Ledger = { acknowledged: new Set(), refused: new Set(), increments: 0, perhaps: 0, isQuiet: false }
  world.run(
    "setup",
    Effect.gen(function* () {
      const zk = yield* world.connect("setup")
      for (const path of ["/log", "/e", "/counter"]) yield* zk.create(path, empty)
    })
  )
  const brokers = [0, 1, 2].map((at): Broker => {
    return { host: brokerHost(at), sessions: [], version: -1, names: [], succeededAt: 0 }
  })
  for (const broker of brokers) world.start(broker.host, program(world, broker, ledger, violate))
  const hosts = brokers.map(({ host }) => host)
  for (const end = kernel.now + chaosSeconds * 1e6; kernel.now < end;) {
    world.pass(random.exponential(1.5))
    strike(world, random, hosts)
  }
  world.pass(4)
  ensemble.heal()
  world.pass(healSeconds)

  for (const broker of brokers) {
    if (broker.sessions.at(-1)?.state !== "Connected") violate(`${broker.host} is not connected again`)
    if (broker.succeededAt < kernel.now - quietMicros) violate(`nothing works for ${broker.host}`)
  }
  ledger.isQuiet = true
  world.pass(2)
  judge(world, brokers, ledger, violate)
  return { world, brokers, violations, acknowledged: ledger.acknowledged.size, perhaps: ledger.perhaps }
}

/** What must hold when nobody writes any more. */
const judge = (
  { ensemble }: World,
  brokers: ReadonlyArray<Broker>,
  ledger: Ledger,
  violate: (why: string) => void
): void => {
  const tree = ensemble.committedTree()
  for (const name of ledger.acknowledged) if (!tree.nodes.has(name)) violate(`${name} was acknowledged and is gone`)
  for (const name of ledger.refused) if (tree.nodes.has(name)) violate(`${name} was refused and is there`)
  const { version } = tree.nodes.get("/counter")!
  if (version < ledger.increments || version > ledger.increments + ledger.perhaps) {
    violate(`the counter is ${version} after ${ledger.increments} and perhaps ${ledger.perhaps} increments`)
  }
  const open = new Set(brokers.map(({ sessions }) => sessions.at(-1)?.id))
  for (const owner of tree.ephemerals.keys()) if (!open.has(owner)) violate(`ephemeral znodes of ${owner} remain`)
  const log = childrenOf(tree.nodes.get("/log")!).join()
  for (const broker of brokers) {
    if (broker.version !== version) violate(`a watch of ${broker.host} stays at version ${broker.version}`)
    if (broker.names.join() !== log) violate(`a watch of ${broker.host} misses names`)
  }
  const paths = [...tree.nodes.keys()].sort().join()
  ensemble.hosts.forEach((host, server) => {
    if ([...ensemble.treeOf(server).nodes.keys()].sort().join() !== paths) violate(`${host} has another tree`)
  })
}
