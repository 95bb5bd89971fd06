/**
 * The watches that are set at one server, by connection. One-shot watches are gone when they have fired; persistent
 * ones stay as long as the connection ("ZooKeeper Watches" in the Programmer's Guide).
 */
import type { Event } from "../../../domain/zookeeper/DataTree.ts"
import { parentOf, root } from "../../../domain/zookeeper/Path.ts"
import type { WatchMode } from "./Protocol.ts"

/** What a one-shot watch looks at: the znode itself, there or not, or the names of its children. */
export type Watched = "data" | "children"

/** The watches of one server. `C` is what stands for a connection. */
export class WatchTable<C> {
  readonly #once: Record<Watched, Map<string, Set<C>>> = { data: new Map(), children: new Map() }
  readonly #lasting: Record<WatchMode, Map<string, Set<C>>> = { persistent: new Map(), recursive: new Map() }

  /** How many are set. */
  get size(): number {
    let size = 0
    for (const table of this.#tables()) for (const connections of table.values()) size += connections.size
    return size
  }

  watchOnce(connection: C, path: string, watched: Watched): void {
    add(this.#once[watched], path, connection)
  }

  watchAlways(connection: C, path: string, mode: WatchMode): void {
    const other = this.#lasting[mode === "persistent" ? "recursive" : "persistent"]
    const connections = other.get(path)
    if (connections?.delete(connection) === true && connections.size === 0) other.delete(path)
    add(this.#lasting[mode], path, connection)
  }

  /** Removes what a connection has set at a path; false when there was nothing. */
  remove(connection: C, path: string): boolean {
    let hadAny = false
    for (const table of this.#tables()) {
      const connections = table.get(path)
      if (connections?.delete(connection) !== true) continue
      hadAny = true
      if (connections.size === 0) table.delete(path)
    }
    return hadAny
  }

  /** Removes all that a connection has set. */
  forget(connection: C): void {
    for (const table of this.#tables()) {
      for (const [path, connections] of table) {
        if (connections.delete(connection) && connections.size === 0) table.delete(path)
      }
    }
  }

  /** Who is to hear of an event, each once. */
  fire({ type, node: { path } }: Event): ReadonlySet<C> {
    const heard = new Set<C>()
    if (type !== "NodeChildrenChanged") this.#take("data", path, heard)
    if (type === "NodeChildrenChanged" || type === "NodeDeleted") this.#take("children", path, heard)
    collect(this.#lasting.persistent.get(path), heard)
    if (type !== "NodeChildrenChanged" && this.#lasting.recursive.size > 0) {
      collect(this.#lasting.recursive.get(root), heard)
      for (let at = path; at !== root; at = parentOf(at)) collect(this.#lasting.recursive.get(at), heard)
    }
    return heard
  }

  #take(watched: Watched, path: string, heard: Set<C>): void {
    collect(this.#once[watched].get(path), heard)
    this.#once[watched].delete(path)
  }

  #tables(): ReadonlyArray<Map<string, Set<C>>> {
    return [this.#once.data, this.#once.children, this.#lasting.persistent, this.#lasting.recursive]
  }
}

const add = <C>(table: Map<string, Set<C>>, path: string, connection: C): void => {
  const connections = table.get(path)
  if (connections === undefined) table.set(path, new Set([connection]))
  else connections.add(connection)
}

const collect = <C>(connections: ReadonlySet<C> | undefined, heard: Set<C>): void => {
  if (connections !== undefined) for (const connection of connections) heard.add(connection)
}
