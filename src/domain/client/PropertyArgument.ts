/**
 * Properties of MQTT 5.0 as people write them on a command line: the packet that carries it, the property's name with
 * dashes, and its value: `publish content-type text/plain`, `connect user-property name value`.
 */
import { Result } from "effect"
import type { ConnectProperties, PropertyCarrier, PropertyDefinition, PublishProperties } from "../packet/Property.ts"
import {
  definitions,
  type DisconnectProperties,
  type SubscribeProperties,
  type UnsubscribeProperties,
  type WillProperties
} from "../packet/Property.ts"

/** The packets whose properties can be given. */
const carriers = {
  connect: "Connect",
  publish: "Publish",
  subscribe: "Subscribe",
  unsubscribe: "Unsubscribe",
  disconnect: "Disconnect",
  will: "Will"
} as const satisfies Readonly<Record<string, PropertyCarrier>>

/** The properties of each packet; absent when none were given. */
export interface GivenProperties {
  readonly connect?: ConnectProperties
  readonly publish?: Omit<PublishProperties, "subscriptionIdentifiers">
  readonly subscribe?: SubscribeProperties
  readonly unsubscribe?: UnsubscribeProperties
  readonly disconnect?: DisconnectProperties
  readonly will?: WillProperties
}

/** `user-property` for `userProperties`: one is given at a time. */
const argumentName = (name: string): string =>
  name === "userProperties" ? "user-property" : name.replaceAll(/[A-Z]+/g, (letters) => `-${letters.toLowerCase()}`)

const byName: ReadonlyMap<string, PropertyDefinition> = new Map(
  definitions.map((definition) => [argumentName(definition.name), definition])
)

const largest = {
  byte: 0xff,
  twoByteInteger: 0xffff,
  fourByteInteger: 0xffff_ffff,
  variableByteInteger: 268_435_455
} as const

const valueOf = (
  { type, rule }: PropertyDefinition,
  [value = "", second = ""]: ReadonlyArray<string>
): Result.Result<unknown, string> => {
  switch (type) {
    case "utf8String":
      return Result.succeed(value)
    case "binaryData":
      return Result.succeed(new Uint8Array(Buffer.from(value)))
    case "utf8StringPair":
      return Result.succeed([value, second])
    default: {
      const maximum = rule === "zeroOrOne" ? 1 : largest[type]
      const minimum = rule === "notZero" ? 1 : 0
      const number = /^\d+$/.test(value) ? Number(value) : Number.NaN
      return number >= minimum && number <= maximum
        ? Result.succeed(number)
        : Result.fail(`must be a whole number from ${minimum} to ${maximum}, not ${JSON.stringify(value)}`)
    }
  }
}

/** How many words a property's value takes: two for a user property. */
export const valueWords = (property: string): 1 | 2 => (property === "user-property" ? 2 : 1)

/** Reads properties, each as its words; the failure says in words what is wrong with which. */
export const parseProperties = (
  given: ReadonlyArray<ReadonlyArray<string>>
): Result.Result<GivenProperties, string> => {
  const all: Record<string, Record<string, unknown>> = {}
  for (const [packet = "", property = "", ...values] of given) {
    const carrier = Object.hasOwn(carriers, packet) ? carriers[packet as keyof typeof carriers] : undefined
    if (carrier === undefined) {
      return Result.fail(
        `there are no properties of ${JSON.stringify(packet)}, only of ${Object.keys(carriers).join(", ")}`
      )
    }
    const definition = byName.get(property)
    if (definition === undefined) return Result.fail(`there is no property ${JSON.stringify(property)}`)
    const isFromServer = carrier === "Publish" && property === "subscription-identifier"
    if (!definition.carriers.includes(carrier) || isFromServer) {
      return Result.fail(`${packet} has no property ${property}`)
    }
    if (values.length < valueWords(property)) return Result.fail(`the property ${property} of ${packet} has no value`)
    const value = valueOf(definition, values)
    if (Result.isFailure(value)) return Result.fail(`the property ${property} of ${packet} ${value.failure}`)
    const properties = (all[packet] ??= {})
    if (property !== "user-property") properties[definition.name] = value.success
    else properties["userProperties"] = [...((properties["userProperties"] as Array<unknown>) ?? []), value.success]
  }
  return Result.succeed(all)
}
