import { assert, it } from "@effect/vitest"
import { Result } from "effect"
import { parseProperties } from "../../../src/domain/client/PropertyArgument.ts"

it("properties are read by packet, name and value", () => {
  const given = parseProperties([
    ["publish", "content-type", "text/plain"],
    ["publish", "user-property", "a", "1"],
    ["publish", "user-property", "a", "2"],
    ["publish", "message-expiry-interval", "60"],
    ["publish", "correlation-data", "xy"],
    ["connect", "receive-maximum", "10"],
    ["subscribe", "subscription-identifier", "268435455"],
    ["will", "will-delay-interval", "5"],
    ["disconnect", "session-expiry-interval", "0"]
  ])
  assert.deepStrictEqual(Result.getOrThrow(given), {
    publish: {
      contentType: "text/plain",
      userProperties: [
        ["a", "1"],
        ["a", "2"]
      ],
      messageExpiryInterval: 60,
      correlationData: new Uint8Array([120, 121])
    },
    connect: { receiveMaximum: 10 },
    subscribe: { subscriptionIdentifier: 268_435_455 },
    will: { willDelayInterval: 5 },
    disconnect: { sessionExpiryInterval: 0 }
  })
})

it("a property that there is not is refused in words", () => {
  const refusals: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = [
    [["publish", "foo", "1"], 'there is no property "foo"'],
    [["publish", "receive-maximum", "1"], "publish has no property receive-maximum"],
    [["publish", "subscription-identifier", "1"], "publish has no property subscription-identifier"],
    [
      ["pubish", "content-type", "x"],
      'there are no properties of "pubish", only of connect, publish, subscribe, unsubscribe, disconnect, will'
    ],
    [
      ["connect", "receive-maximum", "0"],
      'the property receive-maximum of connect must be a whole number from 1 to 65535, not "0"'
    ],
    [
      ["publish", "payload-format-indicator", "2"],
      'the property payload-format-indicator of publish must be a whole number from 0 to 1, not "2"'
    ],
    [
      ["publish", "message-expiry-interval", "soon"],
      'the property message-expiry-interval of publish must be a whole number from 0 to 4294967295, not "soon"'
    ],
    [["publish", "user-property", "a"], "the property user-property of publish has no value"]
  ]
  for (const [words, refusal] of refusals) assert.deepStrictEqual(parseProperties([words]), Result.fail(refusal))
})
