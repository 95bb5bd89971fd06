/**
 * The watches that are set at one server, by connection. One-shot watches are gone when they have fired; persistent
 * ones stay as long as the connection ("ZooKeeper Watches" in the Programmer's Guide).
 */
import type { Event } from "../../../domain/zookeeper/DataTree.ts"
import { parentOf, root } from "../../../domain/zookeeper/Path.ts"
import type { WatchMode } from "./Requests.ts"

/** What a one-shot watch looks at: the znode itself, there or not, or the names of its children. */
export type Watched = "data" | "children"

/** A connection has one watch of each of the two, at a path: the latest that it has set. */
type Watches<C> = Map<string, Map<C, "once" | WatchMode>>

/** The watches of one server. `C` is what stands for a connection. */
export class WatchTable<C> {
  readonly #watches: Record<Watched, Watches<C>> = { data: new Map(), children: new Map() }
  /** How many recursive ones there ever were: without any, the ancestors need not be looked at. */
  #recursive = 0

  /** How many are set; a persistent one counts for data and for children. */
  get size(): number {
    let size = 0
    for (const watches of [this.#watches.data, this.#watches.children]) {
      for (const connections of watches.values()) size += connections.size
    }
    return size
  }

  watchOnce(connection: C, path: string, watched: Watched): void {
    put(this.#watches[watched], path, connection, "once")
  }

  watchAlways(connection: C, path: string, mode: WatchMode): void {
    if (mode === "recursive") this.#recursive++
    put(this.#watches.data, path, connection, mode)
    put(this.#watches.children, path, connection, mode)
  }

  /** Removes what a connection has set at a path; false when there was nothing. */
  remove(connection: C, path: string): boolean {
    const hadData = drop(this.#watches.data, path, connection)
    const hadChildren = drop(this.#watches.children, path, connection)
    return hadData || hadChildren
  }

  /** Removes all that a connection has set. */
  forget(connection: C): void {
    for (const watches of [this.#watches.data, this.#watches.children]) {
      for (const path of watches.keys()) drop(watches, path, connection)
    }
  }

  /** Who is to hear of an event, each once. */
  fire({ type, node: { path } }: Event): ReadonlySet<C> {
    const heard = new Set<C>()
    if (type !== "NodeChildrenChanged") this.#trigger("data", path, type, heard)
    if (type === "NodeChildrenChanged" || type === "NodeDeleted") this.#trigger("children", path, type, heard)
    return heard
  }

  #trigger(watched: Watched, path: string, type: Event["type"], heard: Set<C>): void {
    const watches = this.#watches[watched]
    const here = watches.get(path)
    if (here !== undefined) {
      for (const [connection, mode] of here) {
        // A recursive watch hears of the child itself, not of its parent's list.
        if (mode === "recursive" && type === "NodeChildrenChanged") continue
        heard.add(connection)
        if (mode === "once") here.delete(connection)
      }
      if (here.size === 0) watches.delete(path)
    }
    if (this.#recursive === 0 || type === "NodeChildrenChanged") return
    for (let at = path; at !== root;) {
      at = parentOf(at)
      const above = watches.get(at)
      if (above !== undefined) for (const [connection, mode] of above) if (mode === "recursive") heard.add(connection)
    }
  }
}

const put = <C>(watches: Watches<C>, path: string, connection: C, mode: "once" | WatchMode): void => {
  const connections = watches.get(path)
  if (connections === undefined) watches.set(path, new Map([[connection, mode]]))
  else connections.set(connection, mode)
}

const drop = <C>(watches: Watches<C>, path: string, connection: C): boolean => {
  const connections = watches.get(path)
  if (connections?.delete(connection) !== true) return false
  if (connections.size === 0) watches.delete(path)
  return true
}
