/** Real servers as the subject of one script, in a chroot of its own. */
import { setTimeout as pause } from "node:timers/promises"
import { newSession, RealClient } from "./RealClient.ts"
import type { RealEnsemble } from "./RealEnsemble.ts"
import type { Subject } from "./Runner.ts"
import { create, longTimeout, type Role } from "./Script.ts"

/** A zxid that no server has reached: elections are in its upper half. */
const future = 0x7fff_0000_0000_0000n

/** A subject with no clients and an empty tree. */
export interface RealSubject extends Subject {
  /** Cuts the connections of all clients. */
  readonly dispose: () => void
}

/** Heals the servers, finds out who leads, and creates the chroot. The name must be new to the ensemble. */
export const makeSubject = async (ensemble: RealEnsemble, name: string): Promise<RealSubject> => {
  await ensemble.heal()
  const leader = await ensemble.leader()
  const others = Array.from({ length: ensemble.count }, (_, at) => at).filter((at) => at !== leader)
  const servers: Record<Role, number | undefined> = { leader, first: others[0], second: others[1] }
  const chroot = `/${name}`
  await createChroot(ensemble.portOf(leader), chroot)
  const clients = new Map<string, RealClient>()

  const serverOf = (role: Role): number => {
    const server = servers[role]
    if (server === undefined) throw new Error(`there is no server ${role}`)
    return server
  }
  const clientOf = (client: string): RealClient => {
    const found = clients.get(client)
    if (found === undefined) throw new Error(`there is no client ${client}`)
    return found
  }
  const add = (client: string, made: RealClient) => {
    if (clients.get(client) !== undefined) clients.get(client)!.drop()
    clients.set(client, made)
  }

  return {
    now: () => performance.now(),
    elapse: (milliseconds) => pause(milliseconds),
    open: (client, at, timeout) =>
      add(client, new RealClient(ensemble.portOf(serverOf(at)), chroot, newSession(timeout))),
    attach: (client, former, at, fromFuture) => {
      const { session } = clientOf(former)
      const seen = fromFuture ? future : session.lastZxidSeen
      add(client, new RealClient(ensemble.portOf(serverOf(at)), chroot, session, seen))
    },
    send: (client, requests) => clientOf(client).send(requests),
    drop: (client) => clientOf(client).drop(),
    next: (client) => clientOf(client).next(),
    hasNext: (client) => clientOf(client).hasNext(),
    fault: async (fault, at) => {
      await ensemble[fault](serverOf(at))
    },
    dispose: () => {
      for (const client of clients.values()) client.drop()
    }
  }
}

/** On all servers: a follower may be behind the leader, and one that was not there would be seen to be absent. */
const createChroot = async (port: number, chroot: string): Promise<void> => {
  const client = new RealClient(port, "", newSession(longTimeout))
  client.send([create(chroot), { _tag: "Close" }])
  for (const expected of ["Connected", "Replied", "Replied"]) {
    const observation = await client.next()
    if (observation._tag !== expected || (observation._tag === "Replied" && observation.reply._tag === "Failed")) {
      throw new Error(`creating ${chroot}: ${JSON.stringify(observation)}`)
    }
  }
  client.drop()
}
