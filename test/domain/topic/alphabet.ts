/**
 * Topic names and filters over a tiny alphabet of levels, so that random ones often match.
 */
import { Arbitrary, Schema } from "effect"
import { TopicFilter } from "../../../src/domain/topic/TopicFilter.ts"
import { TopicName } from "../../../src/domain/topic/TopicName.ts"

const levelsOf = (levels: ReadonlyArray<string>) =>
  Arbitrary.array(Arbitrary.schema(Schema.Literals(levels)), { minLength: 1, maxLength: 5 })

/** Topic names of one to five levels. */
export const topicNames = levelsOf(["", "a", "b", "$x"]).pipe(
  Arbitrary.map((levels) => levels.join("/")),
  Arbitrary.filter(Schema.is(TopicName))
)

/** Topic filters of one to five levels, wildcards in half of their levels. */
export const topicFilters = levelsOf(["", "a", "b", "$x", "+", "+", "+", "#"]).pipe(
  Arbitrary.map((levels) => {
    const multi = levels.indexOf("#")
    return levels.slice(0, multi < 0 ? undefined : multi + 1).join("/")
  }),
  Arbitrary.filter(Schema.is(TopicFilter))
)

/** A string literal as a topic name; throws when it is none. */
export const name = Schema.decodeSync(TopicName)

/** A string literal as a topic filter; throws when it is none. */
export const filter = Schema.decodeSync(TopicFilter)
