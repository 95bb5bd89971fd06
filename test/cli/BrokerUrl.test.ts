import { assert, it } from "@effect/vitest"
import { Result } from "effect"
import { parse } from "../../src/cli/BrokerUrl.ts"

it("the parts of a URL are found", () => {
  assert.deepStrictEqual(Result.getOrThrow(parse("mqtt://me:p%40ss:word@broker.example:1884/a/+/#?x")), {
    host: "broker.example",
    port: 1884,
    username: "me",
    password: "p@ss:word",
    topic: "a/+/#?x"
  })
  assert.deepStrictEqual(Result.getOrThrow(parse("mqtt://[::1]:1883")), { host: "::1", port: 1883 })
  assert.deepStrictEqual(Result.getOrThrow(parse("MQTT://host/")), { host: "host" })
})

it("what is no such URL is refused, without its password", () => {
  assert.deepStrictEqual(parse("mqtts://a"), Result.fail("URLs with mqtts:// are not supported, only mqtt://"))
  for (const url of ["host", "mqtt://", "mqtt://me:secret@/a", "mqtt://a:b:c", "mqtt://a:port"]) {
    const refusal = parse(url)
    assert.isTrue(Result.isFailure(refusal), url)
    assert.notInclude(JSON.stringify(refusal), "secret")
  }
})
