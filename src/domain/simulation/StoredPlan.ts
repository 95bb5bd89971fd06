/** Plans as JSON, to keep a failure and to run it again. */
import { Result, Schema } from "effect"
import { maximumBrokers, Plan } from "./Plan.ts"

/** A text that is no plan, or a plan that cannot run. */
export class PlanError extends Schema.TaggedError<PlanError>()("PlanError", { detail: Schema.String }) {
  override get message(): string {
    return this.detail
  }
}

const PlanJson = Schema.fromJsonString(Schema.toCodecJson(Plan), { space: 2 })

const problemOf = ({ brokers, clients, seconds }: Plan): string | undefined => {
  if (brokers < 1 || brokers > maximumBrokers) return `a plan needs ${maximumBrokers} broker, not ${brokers}`
  if (clients.length === 0) return "a plan needs a client"
  if (seconds === 0) return "a plan needs a second at least"
  const names = clients.map(({ name }) => name)
  const twice = names.find((name, at) => names.indexOf(name) !== at)
  if (twice !== undefined) return `a plan has one client of a name: ${JSON.stringify(twice)} is there twice`
  return undefined
}

/** Reads a plan, which can be run then. */
export const parse = (text: string): Result.Result<Plan, PlanError> =>
  Result.flatMap(
    Result.mapError(
      Schema.decodeUnknownResult(PlanJson)(text, { onExcessProperty: "error" }),
      (error) => new PlanError({ detail: error.message.replaceAll(/\s+/g, " ") })
    ),
    (plan) => {
      const problem = problemOf(plan)
      return problem === undefined ? Result.succeed(plan) : Result.fail(new PlanError({ detail: problem }))
    }
  )

const encode = Schema.encodeSync(PlanJson)

/** A plan as JSON, for people to read and change. */
export const render = (plan: Plan): string => encode(plan)
