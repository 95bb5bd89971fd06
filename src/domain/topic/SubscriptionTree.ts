/**
 * The subscriptions of many subscribers, found by topic (MQTT section 4.7).
 *
 * Every filter has one table of entries, kept by filter. A topic has no wildcard, so looking the topic itself up among
 * the filters finds the filters without wildcards that match it; only filters with wildcards are also hung into a trie of
 * levels. Filters with equal beginnings share their nodes, so the walk costs what the distinct beginnings that match
 * cost, not what the number of filters costs.
 *
 * The walk goes level by level and keeps no stack: a topic may have 65,536 levels.
 */
import { hasWildcard, type TopicFilter } from "./TopicFilter.ts"
import { isReserved, type TopicName } from "./TopicName.ts"

type Entries<K, V> = Map<K, V>

/** The filters that continue, and end, after one beginning. */
class Node<K, V> {
  /** What follows, by the text of the next level. */
  literals: Map<string, Node<K, V>> | undefined = undefined
  /** What follows after a `+`. */
  plus: Node<K, V> | undefined = undefined
  /** The entries of the filter that ends here. */
  ending: Entries<K, V> | undefined = undefined
  /** The entries of the filter that has only a `#` to come. */
  multi: Entries<K, V> | undefined = undefined

  isEmpty(): boolean {
    return (
      this.literals === undefined && this.plus === undefined && this.ending === undefined && this.multi === undefined
    )
  }

  child(level: string): Node<K, V> | undefined {
    return level === "+" ? this.plus : this.literals?.get(level)
  }

  makeChild(level: string): Node<K, V> {
    const existing = this.child(level)
    if (existing !== undefined) return existing
    const made = new Node<K, V>()
    if (level === "+") this.plus = made
    else (this.literals ??= new Map()).set(level, made)
    return made
  }

  removeChild(level: string): void {
    if (level === "+") this.plus = undefined
    else if (this.literals?.delete(level) && this.literals.size === 0) this.literals = undefined
  }
}

/**
 * A mutable map from (filter, key) to value that can be asked which entries match a topic. The key is the subscriber, or
 * whatever has at most one subscription to a filter.
 */
export class SubscriptionTree<K, V> {
  readonly #filters = new Map<string, Entries<K, V>>()
  readonly #root = new Node<K, V>()
  #size = 0

  /** How many entries there are: pairs of filter and key. */
  get size(): number {
    return this.#size
  }

  /** How many different filters there are. */
  get filterCount(): number {
    return this.#filters.size
  }

  /** The value at a filter and key. */
  get(filter: TopicFilter, key: K): V | undefined {
    return this.#filters.get(filter)?.get(key)
  }

  /** Sets the value at a filter and key, and returns whether the entry is new. */
  set(filter: TopicFilter, key: K, value: V): boolean {
    let entries = this.#filters.get(filter)
    if (entries === undefined) {
      entries = new Map()
      this.#filters.set(filter, entries)
      if (hasWildcard(filter)) this.#hang(filter, entries)
    }
    const before = entries.size
    entries.set(key, value)
    this.#size += entries.size - before
    return entries.size > before
  }

  /** Removes the entry at a filter and key, and returns whether there was one. */
  delete(filter: TopicFilter, key: K): boolean {
    const entries = this.#filters.get(filter)
    if (entries === undefined || !entries.delete(key)) return false
    this.#size -= 1
    if (entries.size === 0) {
      this.#filters.delete(filter)
      if (hasWildcard(filter)) this.#takeDown(filter)
    }
    return true
  }

  /**
   * Calls `visit` with every entry whose filter matches the topic. A key that has several matching filters is visited
   * once for each. `visit` must not change the tree.
   *
   * Filters that begin with a wildcard do not match topics that begin with `$` [MQTT-4.7.2-1]; `sport/#` matches `sport`.
   * Returns how many nodes of the trie were reached: the cost.
   */
  match(topic: TopicName, visit: (value: V, key: K) => void): number {
    this.#filters.get(topic)?.forEach(visit)
    if (this.#root.isEmpty()) return 0

    // The nodes reached, level by level: those from `done` on are at the level that begins at `start`.
    const nodes = [this.#root]
    let done = 0
    let onlyLiterals = isReserved(topic)
    let start = 0
    while (start <= topic.length && done < nodes.length) {
      const separator = topic.indexOf("/", start)
      const end = separator < 0 ? topic.length : separator
      const level = topic.slice(start, end)
      for (const last = nodes.length; done < last; done++) {
        const node = nodes[done]!
        const literal = node.literals?.get(level)
        if (literal !== undefined) nodes.push(literal)
        if (onlyLiterals) continue
        node.multi?.forEach(visit)
        if (node.plus !== undefined) nodes.push(node.plus)
      }
      onlyLiterals = false
      start = end + 1
    }
    for (; done < nodes.length; done++) {
      const node = nodes[done]!
      node.ending?.forEach(visit)
      node.multi?.forEach(visit)
    }
    return nodes.length
  }

  #hang(filter: TopicFilter, entries: Entries<K, V>): void {
    let node = this.#root
    for (const level of filter.split("/")) {
      if (level === "#") {
        node.multi = entries
        return
      }
      node = node.makeChild(level)
    }
    node.ending = entries
  }

  #takeDown(filter: TopicFilter): void {
    const levels = filter.split("/")
    const isMulti = levels.at(-1) === "#"
    if (isMulti) levels.pop()
    const path = [this.#root]
    for (const level of levels) path.push(path.at(-1)!.child(level)!)
    const last = path.at(-1)!
    if (isMulti) last.multi = undefined
    else last.ending = undefined
    for (let depth = levels.length; depth > 0 && path[depth]!.isEmpty(); depth--) {
      path[depth - 1]!.removeChild(levels[depth - 1]!)
    }
  }
}
