/**
 * Topic Filters as the checkers read them (MQTT 5.0, sections 4.7 and 4.8.2). Written apart from the broker's own
 * matching, so that a mistake there is not made here as well.
 */

/** A filter as it was subscribed to, and its parts. */
export interface FilterParts {
  /** What topics are matched against. */
  readonly inner: string
  /** The name of a shared subscription: its ShareName and filter. Undefined: it is not shared. */
  readonly group: string | undefined
}

/** Takes `$share/{ShareName}/` off a filter. */
export const partsOf = (filter: string): FilterParts => {
  const found = /^\$share\/([^/]+)\/(.+)$/s.exec(filter)
  if (found === null) return { inner: filter, group: undefined }
  return { inner: found[2]!, group: filter }
}

/** Whether a filter without `$share/` matches a topic; wildcards at its beginning leave out `$` topics [MQTT-4.7.2-1]. */
export const isMatch = (filter: string, topic: string): boolean => {
  if (filter === topic) return true
  if (topic[0] === "$" && (filter[0] === "#" || filter[0] === "+")) return false
  let f = 0
  let t = 0
  while (f < filter.length) {
    if (filter[f] === "#") return true
    if (filter[f] === "+") {
      f++
      while (t < topic.length && topic[t] !== "/") t++
    } else {
      while (f < filter.length && filter[f] !== "/") {
        if (t >= topic.length || topic[t] !== filter[f]) return false
        f++
        t++
      }
    }
    const isFilterOver = f >= filter.length
    const isTopicOver = t >= topic.length
    if (isFilterOver) return isTopicOver
    // "sport/#" matches "sport" as well (section 4.7.1.2).
    if (isTopicOver) return filter.slice(f) === "/#"
    if (topic[t] !== "/") return false
    f++
    t++
  }
  // The filter ended with a separator: its last level is empty, and so must be the topic's.
  return t >= topic.length
}

/** A matcher that remembers its answers. */
export const makeMatcher = (): ((filter: string, topic: string) => boolean) => {
  const byFilter = new Map<string, Map<string, boolean>>()
  return (filter, topic) => {
    let byTopic = byFilter.get(filter)
    if (byTopic === undefined) byFilter.set(filter, (byTopic = new Map()))
    let answer = byTopic.get(topic)
    if (answer === undefined) byTopic.set(topic, (answer = isMatch(filter, topic)))
    return answer
  }
}
