/** How each fault of a plan is done to the simulated world, and undone. */
import type { Event } from "../../domain/simulation/History.ts"
import type { Fault } from "../../domain/simulation/Plan.ts"
import type { BrokerHost } from "./BrokerHost.ts"
import type { Kernel } from "./Kernel.ts"
import type { Network } from "./Network.ts"
import type { Ensemble } from "./zookeeper/Ensemble.ts"

/** What faults strike. */
export interface Target {
  readonly kernel: Kernel
  readonly network: Network
  readonly brokers: ReadonlyArray<BrokerHost>
  readonly ensemble: Ensemble | undefined
  readonly note: (event: Event) => void
}

const nothing = (): void => {}

/** Does it, and returns how to undo it: at its end, or earlier when everything heals. Undoing it twice is harmless. */
export const strike = (target: Target, fault: Fault): (() => void) => {
  const { kernel, note } = target
  note({ _tag: "Struck", at: kernel.now, fault })
  kernel.reach(`fault.${fault._tag}`)
  const undo = act(target, fault)
  if (!("duration" in fault)) return nothing
  let isLifted = false
  const lift = (): void => {
    if (isLifted) return
    isLifted = true
    undo()
    note({ _tag: "Lifted", at: kernel.now, fault })
  }
  kernel.later(fault.duration * 1000, lift)
  return lift
}

const act = ({ kernel, network, brokers, ensemble, note }: Target, fault: Fault): (() => void) => {
  const hostOf = (name: string): BrokerHost | undefined => brokers.find((host) => host.name === name)
  switch (fault._tag) {
    case "crash": {
      const host = hostOf(fault.broker)
      host?.process.crash("kill")
      return () => host?.start()
    }
    case "power": {
      const host = hostOf(fault.broker)
      host?.losePower()
      return () => host?.start()
    }
    case "stop": {
      const host = hostOf(fault.broker)
      host?.stop(fault.duration * 1000)
      return nothing
    }
    case "pause": {
      const host = hostOf(fault.broker)
      host?.process.pause()
      return () => host?.process.resume()
    }
    case "cut":
      network.cut(fault.from, fault.to)
      if (!fault.oneWay) network.cut(fault.to, fault.from)
      return () => {
        network.mend(fault.from, fault.to)
        if (!fault.oneWay) network.mend(fault.to, fault.from)
      }
    case "reset":
      network.resetAll(fault.from, fault.to)
      return nothing
    case "slow":
      network.slowDown(fault.from, fault.to, fault.factor)
      network.slowDown(fault.to, fault.from, fault.factor)
      return () => {
        network.slowDown(fault.from, fault.to, 1)
        network.slowDown(fault.to, fault.from, 1)
      }
    case "expire":
      ensemble?.expire(fault.broker)
      return nothing
    case "lose-reply":
      ensemble?.loseReplies(fault.percent / 100)
      return () => ensemble?.loseReplies(0)
    case "lag":
      ensemble?.lag(fault.server, fault.millis * 1000)
      return () => ensemble?.lag(fault.server, 0)
    case "leader":
      ensemble?.loseLeader(fault.duration * 1000)
      return nothing
    case "server": {
      const servers = fault.quorum ? [fault.server, (fault.server + 1) % 3] : [fault.server]
      for (const server of servers) ensemble?.kill(server)
      return () => {
        for (const server of servers) ensemble?.restart(server)
      }
    }
    case "disk": {
      const host = hostOf(fault.broker)
      if (host !== undefined) host.disk.condition = fault.how
      return () => {
        if (host !== undefined) host.disk.condition = "sound"
      }
    }
    case "clock": {
      const host = hostOf(fault.broker)
      if (host !== undefined) host.process.skewMillis += fault.millis
      note({ _tag: "ClockJumped", at: kernel.now, broker: fault.broker, millis: fault.millis })
      return nothing
    }
  }
}
