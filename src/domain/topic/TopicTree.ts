/**
 * Values by topic, found by filter: the other direction of `SubscriptionTree`, for retained messages (MQTT section 4.7).
 *
 * Every topic is kept by name, for exact questions, and in a trie of levels, for filters with wildcards. The walks keep no
 * stack: a topic may have 65,536 levels.
 */
import { hasWildcard, type TopicFilter } from "./TopicFilter.ts"
import { isReserved, type TopicName } from "./TopicName.ts"

/** The topics that continue after one beginning, and the topic that is that beginning. */
class Node<V> {
  readonly parent: Node<V> | undefined
  /** The last level of the beginning. */
  readonly level: string
  children: Map<string, Node<V>> | undefined = undefined
  stored: { readonly topic: TopicName; value: V } | undefined = undefined

  constructor(parent: Node<V> | undefined, level: string) {
    this.parent = parent
    this.level = level
  }

  makeChild(level: string): Node<V> {
    const existing = this.children?.get(level)
    if (existing !== undefined) return existing
    const made = new Node<V>(this, level)
    ;(this.children ??= new Map()).set(level, made)
    return made
  }
}

/** A mutable map from topic to value that can be asked which topics a filter matches. */
export class TopicTree<V> {
  readonly #topics = new Map<string, Node<V>>()
  readonly #root = new Node<V>(undefined, "")

  /** How many topics have a value. */
  get size(): number {
    return this.#topics.size
  }

  /** The value at a topic. */
  get(topic: TopicName): V | undefined {
    return this.#topics.get(topic)?.stored?.value
  }

  /** Sets the value at a topic, and returns whether the topic is new. */
  set(topic: TopicName, value: V): boolean {
    const existing = this.#topics.get(topic)?.stored
    if (existing !== undefined) {
      existing.value = value
      return false
    }
    let node = this.#root
    for (const level of topic.split("/")) node = node.makeChild(level)
    node.stored = { topic, value }
    this.#topics.set(topic, node)
    return true
  }

  /** Removes the value at a topic, and returns whether there was one. */
  delete(topic: TopicName): boolean {
    const found = this.#topics.get(topic)
    if (found === undefined) return false
    this.#topics.delete(topic)
    found.stored = undefined
    let node = found
    while (node.parent !== undefined && node.stored === undefined && node.children === undefined) {
      const parent = node.parent
      if (parent.children?.delete(node.level) && parent.children.size === 0) parent.children = undefined
      node = parent
    }
    return true
  }

  /**
   * Calls `visit` with every topic that the filter matches, each once. `visit` must not change the tree.
   *
   * Topics that begin with `$` are not matched by filters that begin with a wildcard [MQTT-4.7.2-1]; `sport/#` matches
   * `sport`. Returns how many nodes of the trie were reached: the cost.
   */
  matching(filter: TopicFilter, visit: (value: V, topic: TopicName) => void): number {
    if (!hasWildcard(filter)) {
      const stored = this.#topics.get(filter)?.stored
      if (stored !== undefined) visit(stored.value, stored.topic)
      return 0
    }

    let nodes = [this.#root]
    let reached = 1
    for (const level of filter.split("/")) {
      if (level === "#") return reached + this.#visitAll(nodes, visit)
      const next: Array<Node<V>> = []
      for (const node of nodes) {
        if (level === "+") this.#addChildren(node, next)
        else {
          const child = node.children?.get(level)
          if (child !== undefined) next.push(child)
        }
      }
      reached += next.length
      nodes = next
    }
    for (const { stored } of nodes) if (stored !== undefined) visit(stored.value, stored.topic)
    return reached
  }

  /** Visits what is stored at these nodes and anywhere below; adds what is below to `nodes` and returns its number. */
  #visitAll(nodes: Array<Node<V>>, visit: (value: V, topic: TopicName) => void): number {
    const before = nodes.length
    for (let at = 0; at < nodes.length; at++) {
      const node = nodes[at]!
      if (node.stored !== undefined) visit(node.stored.value, node.stored.topic)
      this.#addChildren(node, nodes)
    }
    return nodes.length - before
  }

  /** Adds the children that a wildcard matches: all, but at the root not those that begin with `$` [MQTT-4.7.2-1]. */
  #addChildren(node: Node<V>, to: Array<Node<V>>): void {
    node.children?.forEach((child, level) => {
      if (node !== this.#root || !isReserved(level)) to.push(child)
    })
  }
}
