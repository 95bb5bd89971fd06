/**
 * A simulated ZooKeeper ensemble. One server leads: it gives writes their order, and a write is committed when a quorum
 * has it on disk. Each server applies what is committed in that order and in its own time, so reads may be stale. The
 * leader keeps the sessions ("ZooKeeper Internals" and "ZooKeeper Sessions" in the documentation).
 *
 * Its faults are those that a real ensemble may show: what is committed is never lost, nobody sees two orders, and
 * session timers never run out before their time.
 */
import { Effect } from "effect"
import { serverHost } from "../../../domain/simulation/Plan.ts"
import type { RandomStream } from "../../../domain/simulation/RandomStream.ts"
import type { DataTree } from "../../../domain/zookeeper/DataTree.ts"
import { noSession, type SessionId } from "../../../domain/zookeeper/Znode.ts"
import type { Kernel } from "../Kernel.ts"
import type { Network } from "../Network.ts"
import { Process } from "../Process.ts"
import { Log } from "./Log.ts"
import { Pipe } from "./Pipe.ts"
import type { Connect } from "../../zookeeper/Protocol.ts"
import { nothing } from "./Answers.ts"
import type { Ask, Message } from "./Requests.ts"
import { type Change, Replica } from "./Replica.ts"
import { type Connection, type Entry, type Leader, Server } from "./Server.ts"

/** The port that clients connect to. */
export const clientPort = 2181

export interface EnsembleOptions {
  /** How many servers; 3 by default. */
  readonly servers?: number
  /** `tickTime`, 500 by default: sessions are given from 2 to 20 of them, and their timers are looked at once each. */
  readonly tickMillis?: number
  /** `maxSessionTimeout`; 20 ticks and at least 40 s by default. */
  readonly maximumTimeoutMillis?: number
  /** `jute.maxbuffer`; 1,048,575 by default. */
  readonly maximumPacketBytes?: number
}

/** What can be seen of an ensemble by one who knows all. */
export interface View {
  /** Znodes of the committed tree, the root included. */
  readonly znodes: number
  /** Sessions that are committed and not closed. */
  readonly sessions: number
  /** Watches that are set, at all servers. */
  readonly watches: number
  readonly hasLeader: boolean
}

/** A session as the leader keeps it. */
interface Tracked {
  readonly timeoutMillis: number
  /** When it has not been heard of for too long, in virtual microseconds. */
  deadline: number
  /** The server that its client is connected to; undefined until that is known after an election. */
  owner: Server | undefined
  isClosing: boolean
}

/** A server with its connections to and from the leader. */
interface Member {
  readonly server: Server
  /** Requests to the leader. */
  readonly up: Pipe
  /** Commits and answers from the leader, applied as they come. */
  readonly down: Pipe
  /** Proposals from the leader, until they are on disk. */
  readonly disk: Pipe
  /** Whether it has what the leader has, and is told what follows. */
  isFollowing: boolean
  /** How much later than the others it applies what was committed. */
  lagMicros: number
  /** Counts how often it stood still. */
  pauses: number
}

export class Ensemble {
  readonly #kernel: Kernel
  readonly #network: Network
  readonly #random: RandomStream
  readonly #tickMicros: number
  readonly #members: ReadonlyArray<Member>
  readonly #log = new Log<Entry>()
  /** Everything that is committed, applied when somebody looks. */
  readonly #truth = new Replica()
  readonly #toExpire = new Set<string>()
  readonly #sessions = new Map<SessionId, Tracked>()
  /** Where the client of each session was last. */
  readonly #hosts = new Map<SessionId, string>()
  #committed = 0
  /** How much was committed when the log was last made shorter. */
  #released = 0
  #leader: Member | undefined
  /** Counts elections: the upper half of each zxid. */
  #epoch = 0
  #counter = 0
  #sessionCount = 0
  #syncs: Array<{ readonly upTo: number; readonly answer: () => void }> = []
  /** What strikes when the next write is on its way. */
  #ambush: (() => void) | undefined
  #replyLoss = 0
  #slowDiskMicros = 0

  constructor(kernel: Kernel, network: Network, options: EnsembleOptions = {}) {
    this.#kernel = kernel
    this.#network = network
    this.#random = kernel.stream("zookeeper")
    const tickMillis = options.tickMillis ?? 500
    this.#tickMicros = tickMillis * 1000
    const leader = this.#leaderHalf()
    this.#members = Array.from({ length: options.servers ?? 3 }, (_, index): Member => {
      const process = new Process(kernel, serverHost(index))
      const member: Member = {
        server: new Server({
          kernel,
          process,
          leader,
          minimumTimeoutMillis: 2 * tickMillis,
          maximumTimeoutMillis: options.maximumTimeoutMillis ?? Math.max(40_000, 20 * tickMillis),
          maximumPacketBytes: options.maximumPacketBytes ?? 1_048_575,
          losesReply: () => this.#random.chance(this.#replyLoss),
          committed: () => this.#committed
        }),
        up: new Pipe(
          kernel,
          () => this.#leader?.server.process,
          () => this.#hop()
        ),
        down: new Pipe(
          kernel,
          () => process,
          () => this.#hop() + member.lagMicros
        ),
        disk: new Pipe(
          kernel,
          () => process,
          () => this.#hop() + this.#random.exponential(syncMicros) + this.#slowDiskMicros
        ),
        isFollowing: false,
        lagMicros: 0,
        pauses: 0
      }
      return member
    })
    for (const member of this.#members) this.#boot(member)
    this.#lead(this.#random.pick(this.#members), this.#members)
    this.#tick()
  }

  /** The hosts of the servers. */
  get hosts(): ReadonlyArray<string> {
    return this.#members.map(({ server }) => server.process.name)
  }

  /** The leader's index, undefined while there is none. */
  get leader(): number | undefined {
    return this.#leader === undefined ? undefined : this.#members.indexOf(this.#leader)
  }

  /**
   * The leader loses its followers, and there is another after so many microseconds, or the same again. Every other
   * time it is when the next write is on its way to the disks, or after a second without any.
   */
  loseLeader(micros: number): void {
    if (this.#leader === undefined) return
    const term = this.#epoch
    const strike = () => {
      if (term === this.#epoch) this.#depose(micros)
    }
    if (this.#random.chance(0.5)) {
      strike()
      return
    }
    this.#ambush = strike
    this.#kernel.later(ambushMicros, () => {
      if (this.#ambush === strike) strike()
    })
  }

  /** A server dies. What is on its disk stays. */
  kill(server: number): void {
    this.#member(server).server.process.crash("kill")
  }

  /** A server that has died starts again. */
  restart(server: number): void {
    const member = this.#member(server)
    if (member.server.process.isAlive) return
    this.#boot(member)
    if (this.#leader !== undefined) this.#follow(member)
    else this.#electSoon()
  }

  /** A server stands still, until `resume`. When the others have waited for it long enough, they go on without it. */
  pause(server: number): void {
    const member = this.#member(server)
    const { process } = member.server
    if (!process.isAlive || process.isPaused) return
    process.pause()
    const pause = ++member.pauses
    this.#kernel.later(syncLimit * this.#tickMicros, () => {
      if (!process.isPaused || member.pauses !== pause) return
      const able = this.#members.filter(isAble)
      if (member !== this.#leader && able.length >= this.#quorum()) this.#detach(member)
      else this.#abdicate()
      if (this.#leader === undefined) this.#electSoon()
    })
  }

  /** A server that stood still goes on. */
  resume(server: number): void {
    const member = this.#member(server)
    if (!member.server.process.isPaused) return
    if (!member.isFollowing) member.server.stopServing()
    member.server.process.resume()
    if (this.#leader === undefined) this.#electSoon()
    else if (!member.isFollowing) this.#follow(member)
    this.#commit()
  }

  /** From now on a server applies what is committed so many microseconds later; 0 for as soon as it can. */
  lag(server: number, micros: number): void {
    this.#member(server).lagMicros = micros
  }

  /** With this chance a write is applied, and its reply lost together with the connection. */
  loseReplies(probability: number): void {
    this.#replyLoss = probability
  }

  /** From now on it takes so many microseconds more until a server has a write on disk. */
  slowCommits(micros: number): void {
    this.#slowDiskMicros = micros
  }

  /** Ends the sessions that a host has opened; when there is no leader, as soon as there is one. */
  expire(host: string): void {
    if (this.#leader === undefined) {
      this.#toExpire.add(host)
      return
    }
    for (const [id, session] of this.#sessions) if (this.#hosts.get(id) === host) this.#expireSession(id, session)
  }

  /** Ends all faults: dead servers start, nobody lags, no reply is lost, and there is a leader soon. */
  heal(): void {
    this.#ambush = undefined
    this.#replyLoss = 0
    this.#slowDiskMicros = 0
    for (const member of this.#members) member.lagMicros = 0
    this.#members.forEach((_, index) => {
      this.restart(index)
      this.resume(index)
    })
    if (this.#leader === undefined) this.#electSoon()
  }

  view(): View {
    const { tree, sessions } = this.#catchUp()
    let watches = 0
    for (const { server } of this.#members) watches += server.watches.size
    return { znodes: tree.nodes.size, sessions: sessions.size, watches, hasLeader: this.#leader !== undefined }
  }

  /** The committed tree; not to be changed. */
  committedTree(): DataTree {
    return this.#catchUp().tree
  }

  /** The tree as a server has it; not to be changed. */
  treeOf(server: number): DataTree {
    return this.#member(server).server.replica.tree
  }

  #member(server: number): Member {
    const member = this.#members[server]
    if (member === undefined) throw new Error(`the ensemble has no server ${server}`)
    return member
  }

  #catchUp(): Replica {
    while (this.#truth.applied < this.#committed) this.#truth.apply(this.#log.at(this.#truth.applied))
    return this.#truth
  }

  /** How long a message between two servers takes, in microseconds. */
  #hop(): number {
    const tail = this.#random.chance(0.01) ? this.#random.exponential(tailMicros) : 0
    return hopMicros * (0.5 + this.#random.float()) + tail
  }

  // The life of a server

  #boot(member: Member): void {
    const { server } = member
    server.process.start(Effect.never, { ended: () => {}, logged: () => {} })
    server.process.whenDead(() => this.#died(member))
    this.#network.listen<Message>(server.process, clientPort, (end) => server.accept(end))
  }

  #died(member: Member): void {
    member.server.forgetAll()
    this.#detach(member)
    const alive = this.#members.filter(({ server }) => server.process.isAlive).length
    if (member === this.#leader || alive < this.#quorum()) {
      this.#abdicate()
      this.#electSoon()
    }
  }

  #detach(member: Member): void {
    member.isFollowing = false
    member.up.cut()
    member.down.cut()
    member.disk.cut()
  }

  #quorum(): number {
    return Math.floor(this.#members.length / 2) + 1
  }

  // Elections

  #depose(micros: number): void {
    const former = this.#leader
    // Cut off from the others it takes no part in the election; otherwise what it has proposed may survive.
    const isAbsent = this.#random.chance(0.5)
    this.#abdicate()
    const term = this.#epoch
    this.#kernel.later(micros, () => {
      if (term === this.#epoch) this.#elect(isAbsent ? former : undefined)
    })
  }

  /** There is no leader any more: the others find out one after the other, and let go of their clients. */
  #abdicate(): void {
    if (this.#leader === undefined) return
    this.#leader = undefined
    this.#epoch++
    this.#sessions.clear()
    this.#syncs = []
    this.#ambush = undefined
    for (const member of this.#members) {
      this.#detach(member)
      const { server } = member
      if (!server.process.isAlive) continue
      const term = this.#epoch
      const stop = () => {
        if (term === this.#epoch) server.stopServing()
      }
      this.#kernel.later(this.#hop(), stop, server.process)
    }
  }

  #electSoon(): void {
    const term = this.#epoch
    this.#kernel.later(this.#random.between(leastElectionMicros, mostElectionMicros), () => {
      if (term === this.#epoch && this.#leader === undefined) this.#elect(undefined)
    })
  }

  /** Those that are there choose the one that has the most on disk. */
  #elect(absent: Member | undefined): void {
    const alive = this.#members.filter(isAble)
    const present = alive.filter((member) => member !== absent)
    const voters = present.length < this.#quorum() ? alive : present
    if (voters.length < this.#quorum()) return
    let best = voters[0]!
    for (const voter of voters) if (voter.server.logged >= best.server.logged) best = voter
    const term = this.#epoch
    this.#kernel.later(this.#random.exponential(catchUpMicros), () => {
      if (term !== this.#epoch || this.#leader !== undefined) return
      if (voters.filter(isAble).length < this.#quorum() || !isAble(best)) this.#electSoon()
      else this.#lead(best, voters)
    })
  }

  /**
   * A server leads from now on. What it has on disk its voters have taken over, so it is committed; what only others
   * have is gone.
   */
  #lead(member: Member, voters: ReadonlyArray<Member>): void {
    for (const { server } of this.#members) if (!server.process.isPaused) server.stopServing()
    const { logged } = member.server
    if (logged < this.#committed) throw new Error("a committed transaction is on no disk of a quorum")
    for (let at = this.#committed; at < this.#log.length; at++) {
      this.#kernel.reach(at < logged ? "zookeeper.proposal-survived" : "zookeeper.proposal-lost")
    }
    this.#log.truncate(logged)
    this.#committed = logged
    for (const { server } of this.#members) server.logged = Math.min(server.logged, logged)
    this.#leader = member
    this.#epoch++
    this.#counter = 0
    const { sessions } = this.#catchUp()
    for (const [id, timeoutMillis] of sessions) {
      const deadline = this.#kernel.now + timeoutMillis * 1000
      this.#sessions.set(id, { timeoutMillis, deadline, owner: undefined, isClosing: false })
    }
    for (const id of this.#hosts.keys()) if (!sessions.has(id)) this.#hosts.delete(id)
    for (const follower of this.#members) {
      if (isAble(follower)) this.#follow(follower, voters.includes(follower) ? 0 : undefined)
    }
    for (const host of this.#toExpire) this.expire(host)
    this.#toExpire.clear()
  }

  /** A server gets from the leader what it does not have, and takes clients then. */
  #follow(member: Member, delay = this.#random.exponential(catchUpMicros)): void {
    const { server } = member
    const term = this.#epoch
    const start = () => {
      if (term !== this.#epoch || member.isFollowing) return
      server.logged = this.#log.length
      member.isFollowing = true
      while (server.replica.applied < this.#committed) server.apply(this.#log.at(server.replica.applied))
      // Only the leader counts its election as seen: who has heard of it there is refused elsewhere until a first write.
      if (member === this.#leader) server.replica.zxid = this.#epoch * epochSize
      server.isServing = true
      this.#commit()
    }
    if (delay === 0) start()
    else this.#kernel.later(delay, start, server.process)
  }

  // The order of writes

  #propose(session: SessionId, change: Change, origin: Entry["origin"]): void {
    const leader = this.#leader
    if (leader === undefined) return
    const zxid = this.#epoch * epochSize + ++this.#counter
    const entry: Entry = { zxid, time: leader.server.process.wallMillis(), session, change, origin }
    this.#log.push(entry)
    if (this.#ambush !== undefined) this.#kernel.later(this.#random.exponential(syncMicros), this.#ambush)
    this.#ambush = undefined
    const { length } = this.#log
    for (const member of this.#members) {
      if (!member.isFollowing) continue
      member.disk.send(() => {
        member.server.logged = length
        this.#commit()
      })
    }
  }

  /** Commits what a quorum has on disk. */
  #commit(): void {
    const logged = this.#members.map(({ server }) => server.logged).sort((a, b) => b - a)
    const upTo = logged[this.#quorum() - 1]!
    if (this.#leader === undefined || this.#leader.server.process.isPaused || upTo <= this.#committed) return
    for (; this.#committed < upTo; this.#committed++) {
      const entry = this.#log.at(this.#committed)
      for (const { isFollowing, down, server } of this.#members) if (isFollowing) down.send(() => server.apply(entry))
      if (entry.change._tag === "CloseSession") {
        this.#sessions.delete(entry.session)
        this.#hosts.delete(entry.session)
      }
    }
    while (this.#syncs.length > 0 && this.#syncs[0]!.upTo <= upTo) this.#syncs.shift()!.answer()
    this.#release()
  }

  #release(): void {
    if (this.#committed - this.#released < releaseEvery) return
    this.#released = this.#committed
    let applied = this.#catchUp().applied
    for (const { server } of this.#members) applied = Math.min(applied, server.replica.applied)
    this.#log.release(applied)
  }

  // What the servers ask of the leader

  #leaderHalf(): Leader {
    const reach = (server: Server, ask: (member: Member) => void): void => {
      const member = this.#members.find((candidate) => candidate.server === server)!
      member.up.send(() => {
        if (this.#leader !== undefined && member.isFollowing) ask(member)
      })
    }
    return {
      openSession: (server, connection, timeoutMillis) =>
        reach(server, () => this.#openSession(server, connection, timeoutMillis)),
      revalidate: (server, connection, connect, timeoutMillis) =>
        reach(server, ({ down }) => {
          const isOpen = this.#revalidate(server, connection, connect)
          // Behind the commits that are on their way: the client finds all that was committed before.
          down.send(() => server.accepted(connection, isOpen ? connect.session : noSession, timeoutMillis))
        }),
      order: (server, connection, ask) => reach(server, ({ down }) => this.#order(server, connection, ask, down)),
      sync: (server, connection, ask) =>
        reach(server, ({ down }) => {
          const answer = () => down.send(() => server.settle(connection, ask.xid, nothing))
          if (this.#log.length === this.#committed) answer()
          else this.#syncs.push({ upTo: this.#log.length, answer })
        })
    }
  }

  #openSession(server: Server, connection: Connection, timeoutMillis: number): void {
    this.#sessionCount++
    const id = `0x1${this.#sessionCount.toString(16).padStart(14, "0")}` as SessionId
    const deadline = this.#kernel.now + timeoutMillis * 1000
    this.#sessions.set(id, { timeoutMillis, deadline, owner: server, isClosing: false })
    this.#hosts.set(id, connection.host)
    this.#propose(id, { _tag: "OpenSession", timeoutMillis }, { connection, xid: 0 })
  }

  #revalidate(server: Server, connection: Connection, connect: Connect): boolean {
    const session = this.#sessions.get(connect.session)
    if (session === undefined || session.isClosing) return false
    session.owner = server
    this.#hosts.set(connect.session, connection.host)
    session.deadline = this.#kernel.now + session.timeoutMillis * 1000
    return true
  }

  #order(server: Server, connection: Connection, ask: Ask, down: Pipe): void {
    const id = connection.session!
    const origin = { connection, xid: ask.xid }
    const session = this.#sessions.get(id)
    if (session === undefined || session.isClosing) {
      this.#propose(id, { _tag: "Refused", reason: { _tag: "SessionLost" } }, origin)
      return
    }
    session.owner ??= server
    // A session may be closed by a connection that it has left.
    if (session.owner !== server && ask.request._tag !== "CloseSession") {
      this.#kernel.reach("zookeeper.session-moved")
      down.send(() => server.drop(connection))
      return
    }
    const { request } = ask
    if (request._tag === "Write") {
      this.#propose(id, { _tag: "Write", operations: request.operations }, origin)
    } else {
      session.isClosing = true
      this.#propose(id, { _tag: "CloseSession" }, origin)
    }
  }

  // Sessions

  /** Twice a tick the servers tell of whom they have heard; who was not heard of for too long has expired. */
  #tick(): void {
    this.#kernel.later(this.#tickMicros / 2, () => {
      if (this.#leader !== undefined && !this.#leader.server.process.isPaused) {
        for (const { isFollowing, server } of this.#members) {
          if (isFollowing && !server.process.isPaused) this.#touch(server)
        }
        for (const [id, session] of this.#sessions) {
          if (session.deadline <= this.#kernel.now) this.#expireSession(id, session)
        }
      }
      this.#tick()
    })
  }

  #touch({ touched }: Server): void {
    for (const id of touched) {
      const session = this.#sessions.get(id)
      if (session !== undefined) session.deadline = this.#kernel.now + session.timeoutMillis * 1000
    }
    touched.clear()
  }

  #expireSession(id: SessionId, session: Tracked): void {
    if (session.isClosing) return
    this.#kernel.reach("zookeeper.expired")
    session.isClosing = true
    this.#propose(id, { _tag: "CloseSession" }, undefined)
  }
}

/** Whether a server takes part in what the others do. */
const isAble = ({ server: { process } }: Member): boolean => process.isAlive && !process.isPaused

/** What the zxids of one leader have room for. */
const epochSize = 2 ** 32

/** Between two servers, usually. */
const hopMicros = 200
/** One message in a hundred takes this much longer, on average. */
const tailMicros = 10_000
/** To write a proposal to the disk, on average. */
const syncMicros = 600
/** After so many ticks without a word the others go on without a server (`syncLimit`). */
const syncLimit = 10
/** To bring a server up to date, on average. */
const catchUpMicros = 50_000
/** From the death of a leader to the election of the next. */
const leastElectionMicros = 300_000
const mostElectionMicros = 3_000_000
/** So long it may take until a leader is lost. */
const ambushMicros = 1_000_000
/** How often the log is looked at, in transactions. */
const releaseEvery = 512
