/**
 * Topic Names: what a message is published to (MQTT 5.0 and 3.1.1, section 4.7).
 *
 * A topic is a list of levels separated by `/`; a level may be empty, so `/a` has two levels and `/` as well. Names are
 * compared character by character: nothing is normalized [MQTT-4.7.3-4].
 */
import { Schema } from "effect"
import { Utf8String } from "../packet/Property.ts"

/** The longest UTF-8 Encoded String, in bytes [MQTT-4.7.3-3]. */
const maxBytes = 0xffff

const forbidden = /[+#\0]|\p{Surrogate}/u

/** Whether a string takes at most 65,535 bytes in UTF-8, in which a UTF-16 unit takes 3 bytes at most. */
const fitsUtf8String = (s: string): boolean =>
  s.length <= maxBytes && (s.length * 3 <= maxBytes || Buffer.byteLength(s) <= maxBytes)

/**
 * A valid Topic Name: at least one character [MQTT-4.7.3-1], no wildcard [MQTT-4.7.0-1], no U+0000 [MQTT-4.7.3-2], at
 * most 65,535 bytes of UTF-8 [MQTT-4.7.3-3].
 */
export const TopicName = Utf8String.pipe(
  Schema.check(
    Schema.makeFilter((s: string) => s.length > 0 || "is empty"),
    Schema.makeFilter((s: string) => !/[+#]/.test(s) || "contains a wildcard")
  ),
  Schema.brand("TopicName")
)
export type TopicName = typeof TopicName.Type

/** Whether a string is a valid Topic Name: the rules of the Schema, for the hot path. */
export const isTopicName = (s: string): s is TopicName => s.length > 0 && fitsUtf8String(s) && !forbidden.test(s)

/**
 * Whether a topic begins with `$`: reserved for the server's own use, such as `$SYS/`, and not matched by a filter that
 * begins with a wildcard (section 4.7.2).
 */
export const isReserved = (topic: string): boolean => topic.startsWith("$")

/** How many levels a topic name or filter has: one more than its separators. Servers limit it. */
export const countLevels = (topic: string): number => {
  let levels = 1
  for (let at = topic.indexOf("/"); at >= 0; at = topic.indexOf("/", at + 1)) levels += 1
  return levels
}
