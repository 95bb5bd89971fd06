/**
 * Topic Filters: what a client subscribes to (MQTT 5.0 and 3.1.1, section 4.7), and the form `$share/{ShareName}/{filter}`
 * of a Shared Subscription (MQTT 5.0, section 4.8.2).
 *
 * Statement numbers are those of MQTT 5.0. `matches` is the executable specification of matching; `SubscriptionTree` and
 * `TopicTree` are its fast forms.
 */
import { Result, Schema } from "effect"
import { Utf8String } from "../packet/Property.ts"
import { countLevels, isReserved } from "./TopicName.ts"

/** The statement of section 4.7 or 4.8.2 that a filter breaks. */
export const TopicFilterStatement = Schema.Literals([
  "MQTT-4.7.1-1",
  "MQTT-4.7.1-2",
  "MQTT-4.7.3-1",
  "MQTT-4.7.3-2",
  "MQTT-4.7.3-3",
  "MQTT-4.8.2-1",
  "MQTT-4.8.2-2"
])
export type TopicFilterStatement = typeof TopicFilterStatement.Type

/**
 * A string that is refused as a Topic Filter. Without a `statement` it breaks no rule of MQTT but goes over a limit of
 * this server (reason code 0x8F, Topic Filter invalid).
 */
export class TopicFilterRefused extends Schema.TaggedError<TopicFilterRefused>()("TopicFilterRefused", {
  statement: Schema.optionalKey(TopicFilterStatement),
  /** What is wrong, in words that follow "the topic filter". */
  detail: Schema.String
}) {
  override get message() {
    return `the topic filter ${this.detail}${this.statement === undefined ? "" : ` [${this.statement}]`}`
  }
}

const refused = (statement: TopicFilterStatement, detail: string) => new TopicFilterRefused({ statement, detail })

/** The rule that a string breaks whatever its wildcards: section 4.7.3. */
const brokenString = (s: string): TopicFilterRefused | undefined => {
  if (s.length === 0) return refused("MQTT-4.7.3-1", "is empty")
  if (s.includes("\0")) return refused("MQTT-4.7.3-2", "contains U+0000")
  if (/\p{Surrogate}/u.test(s)) return refused("MQTT-4.7.3-3", "contains a lone surrogate, which UTF-8 cannot encode")
  if (Buffer.byteLength(s) > 0xffff) return refused("MQTT-4.7.3-3", "is longer than 65535 bytes in UTF-8")
  return undefined
}

/** The rule that a filter's wildcards break: section 4.7.1. */
const brokenWildcard = (filter: string): TopicFilterRefused | undefined => {
  const multi = filter.indexOf("#")
  if (multi >= 0 && multi !== filter.length - 1) return refused("MQTT-4.7.1-1", 'has "#" before its end')
  if (multi > 0 && filter[multi - 1] !== "/") return refused("MQTT-4.7.1-1", 'has "#" in a level with other characters')
  if (/[^/]\+|\+[^/]/.test(filter)) return refused("MQTT-4.7.1-2", 'has "+" in a level with other characters')
  return undefined
}

/**
 * A valid Topic Filter as it is matched against topics: the rules of section 4.7, nothing more. `$share/` has no meaning
 * here; `parseTopicFilter` takes it off.
 */
export const TopicFilter = Utf8String.pipe(
  Schema.check(Schema.makeFilter((s: string) => (brokenString(s) ?? brokenWildcard(s))?.detail ?? true)),
  Schema.brand("TopicFilter")
)
export type TopicFilter = typeof TopicFilter.Type

/** What a SUBSCRIBE or UNSUBSCRIBE names: a filter, and the ShareName when the subscription is shared. */
export interface ParsedTopicFilter {
  readonly filter: TopicFilter
  readonly group?: string
}

const sharePrefix = "$share/"

/** Takes `$share/{ShareName}/` off, if it is there. */
const splitShare = (text: string): Result.Result<{ filter: string; group?: string }, TopicFilterRefused> => {
  if (!text.startsWith(sharePrefix)) return Result.succeed({ filter: text })
  const end = text.indexOf("/", sharePrefix.length)
  const group = text.slice(sharePrefix.length, end < 0 ? undefined : end)
  if (group === "") return Result.fail(refused("MQTT-4.8.2-1", "has an empty ShareName"))
  if (/[+#]/.test(group)) return Result.fail(refused("MQTT-4.8.2-2", "has a wildcard in its ShareName"))
  if (end < 0) return Result.fail(refused("MQTT-4.8.2-2", 'has no "/" after its ShareName'))
  if (end === text.length - 1) return Result.fail(refused("MQTT-4.8.2-2", "has no filter after its ShareName"))
  return Result.succeed({ filter: text.slice(end + 1), group })
}

/**
 * Reads a Topic Filter as a client sends it. `$share/{ShareName}/{filter}` gives the inner filter, and the ShareName as
 * `group` [MQTT-4.8.2-1] [MQTT-4.8.2-2]. `maxLevels` is the server's limit on the levels of the inner filter.
 */
export const parseTopicFilter = (
  text: string,
  maxLevels = Number.POSITIVE_INFINITY
): Result.Result<ParsedTopicFilter, TopicFilterRefused> => {
  const broken = brokenString(text)
  if (broken !== undefined) return Result.fail(broken)
  const split = splitShare(text)
  if (Result.isFailure(split)) return Result.fail(split.failure)
  const { filter, ...share } = split.success
  const wildcard = brokenWildcard(filter)
  if (wildcard !== undefined) return Result.fail(wildcard)
  if (countLevels(filter) > maxLevels) {
    return Result.fail(new TopicFilterRefused({ detail: `has more than ${maxLevels} levels` }))
  }
  return Result.succeed({ filter: filter as TopicFilter, ...share })
}

/** Whether a filter has a wildcard; one without matches the topic of the same name and no other. */
export const hasWildcard = (filter: string): boolean => filter.endsWith("#") || filter.includes("+")

/**
 * Whether a valid filter matches a topic: the rules of section 4.7 word for word, `$` topics included [MQTT-4.7.2-1].
 * For tests and single questions; it splits both strings at each call.
 */
export const matches = (filter: string, topic: string): boolean => {
  const expected = filter.split("/")
  const levels = topic.split("/")
  if (isReserved(topic) && (expected[0] === "+" || expected[0] === "#")) return false
  for (const [depth, level] of expected.entries()) {
    if (level === "#") return true
    if (depth >= levels.length) return false
    if (level !== "+" && level !== levels[depth]) return false
  }
  return expected.length === levels.length
}
