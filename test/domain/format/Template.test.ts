import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { ByteSink } from "../../../src/domain/format/ByteSink.ts"
import type { Moment } from "../../../src/domain/format/Moment.ts"
import * as Template from "../../../src/domain/format/Template.ts"
import type { Publish } from "../../../src/domain/packet/Packet.ts"

const moment: Moment = {
  epochMillis: Date.UTC(2026, 10, 23, 19, 9, 18, 20),
  nanos: 20_692_001,
  offsetMinutes: 0,
  zone: () => "UTC"
}

const hello: Publish = {
  _tag: "Publish",
  topic: "a/b",
  payload: Buffer.from("hello"),
  qos: 1,
  retain: false,
  dup: false,
  packetId: 1,
  properties: {
    userProperties: [
      ["k", "v"],
      ["k2", "v2"]
    ],
    contentType: "text",
    correlationData: Buffer.from("abc"),
    responseTopic: "re/sp",
    payloadFormatIndicator: 1,
    messageExpiryInterval: 60
  }
}

const { properties: _, ...plain } = { ...hello, qos: 0 as const, packetId: 0 }

const printed = (format: string, message: Publish = hello, isPretty = false): string => {
  const sink = new ByteSink()
  Template.render(Result.getOrThrow(Template.parse(format)), { message, moment }, isPretty, sink)
  return sink.take().toString("latin1")
}

const withPayload = (payload: string | Uint8Array): Publish => ({
  ...plain,
  payload: typeof payload === "string" ? Buffer.from(payload) : payload
})

describe("a format prints what mosquitto_sub 2.0 prints for it", () => {
  const golden: ReadonlyArray<readonly [format: string, output: string]> = [
    ["[%t|%p|%x|%X|%l|%q|%r|%m]", "[a/b|hello|68656c6c6f|68656C6C6F|5|1|0|1]"],
    ["[%10t|%-10t|%.2t|%-5.2t|%010t|%-010t]", "[       a/b|a/b       |a/|a/   |       a/b|a/b       ]"],
    ["[%8p|%-8p|%08p]", "[   hello|hello   |000hello]"],
    ["[%5l|%-5l|%05l|%5q|%05r|%5m|%-05l]", "[    5|5    |00005|1|0|    1|5    ]"],
    [
      "[%A|%5A|%C|%5C|%D|%5D|%E|%05E|%F|%R|%S|%P|%5P]",
      "[|     |text| text|abc|  abc|60|00060|1|re/sp||k:v k2:v2|k:v k2:v2]"
    ],
    ["\\\\t\\n\\0\\a\\e\\r\\v%%@@", "\\t\n\0\x07\x1b\r\v%@"],
    [
      "%I|%.5I|%U|@Y-@m-@dT@H:@M:@S.@N@z@Z@j",
      "2026-11-23T19:09:18+0000|2026-|1795460958.020692001|2026-11-23T19:09:18.020692001+0000UTC327"
    ]
  ]
  it.each(golden)("%s", (format, output) => {
    assert.strictEqual(printed(format), output)
  })

  it("leaves the width of what a message does not have", () => {
    assert.strictEqual(
      printed("[%A|%5A|%-5A|%05A|%C|%5C|%05C|%D|%5D|%E|%05E|%F|%R|%S|%P|%5P]", plain),
      "[|     |     |00000||     |     ||     ||00000|||||]"
    )
    assert.strictEqual(printed("[%p|%5p|%x|%l|%m]", withPayload("")), "[|     ||0|0]")
  })

  it("knows the conversions of strftime", () => {
    const letters = "aAbBcCdDeFgGhHIjklmMpPrRsSTuUVwWxXyYzZE"
    assert.deepStrictEqual(
      [...letters].map((letter) => printed(`@${letter}`)),
      [
        "Mon",
        "Monday",
        "Nov",
        "November",
        "Mon Nov 23 19:09:18 2026",
        "20",
        "23",
        "11/23/26",
        "23",
        "2026-11-23",
        "26",
        "2026",
        "Nov",
        "19",
        "07",
        "327",
        "19",
        " 7",
        "11",
        "09",
        "PM",
        "pm",
        "07:09:18 PM",
        "19:09",
        "1795460958",
        "18",
        "19:09:18",
        "1",
        "47",
        "48",
        "1",
        "47",
        "11/23/26",
        "19:09:18",
        "26",
        "2026",
        "+0000",
        "UTC",
        "%E"
      ]
    )
  })
})

describe("JSON", () => {
  it("has the message with its properties", () => {
    assert.strictEqual(
      printed("%j"),
      '{"tst":"2026-11-23T19:09:18.020692Z+0000","topic":"a/b","qos":1,"retain":0,"payloadlen":5,"mid":1,' +
        '"properties":{"user-properties":{"k":"v","k2":"v2"},"content-type":"text","correlation-data":"abc",' +
        '"response-topic":"re/sp","payload-format-indicator":1,"message-expiry-interval":60},"payload":"hello"}'
    )
  })

  it("has null for an empty payload", () => {
    for (const format of ["%j", "%J"]) assert.isNull(JSON.parse(printed(format, withPayload(""))).payload)
  })

  it("has a payload that is JSON as it is, on one line, with its numbers as they were written", () => {
    assert.match(
      printed("%J", withPayload('{ "a": [1, 2.50,\n 12345678901234567890], "b c": "d  \\" e" }')),
      /"payload":\{"a":\[1,2\.50,12345678901234567890\],"b c":"d {2}\\" e"\}\}$/
    )
  })

  it("leaves out a payload that is not JSON, and says so", () => {
    const sink = new ByteSink()
    const template = Result.getOrThrow(Template.parse("[%J]"))
    assert.isFalse(Template.render(template, { message: hello, moment }, false, sink))
    assert.strictEqual(sink.take().toString(), "[]")
  })

  it("is the same when pretty", () => {
    const message = withPayload('{"a":[],"b":{"c":"x: {[, "},"d":[1,2]}')
    const pretty = printed("%J", message, true)
    assert.deepStrictEqual(JSON.parse(pretty), JSON.parse(printed("%J", message)))
    assert.include(pretty, '\t"payload": {\n\t\t"a": [],\n\t\t"b": {\n\t\t\t"c": "x: {[, "\n\t\t},\n')
  })
})

it("a payload is printed byte by byte", () => {
  assert.strictEqual(
    printed("%p|%.2p|%-4.2p|", withPayload(new Uint8Array([0, 255, 128]))),
    "\0\xff\x80|\0\xff|\0\xff  |"
  )
})

it("a payload of four or eight bytes is a number to %f and %d", () => {
  const float = Buffer.alloc(4)
  float.writeFloatLE(2.71875)
  const double = Buffer.alloc(8)
  double.writeDoubleLE(-1234.5678)
  assert.strictEqual(printed("%f|%.2f|%10.2f|%-6.1f|%d", withPayload(float)), "2.718750|2.72|      2.72|2.7   |")
  assert.strictEqual(printed("%d|%012.1d|%9f", withPayload(double)), "-1234.567800|-000001234.6|         ")
})

it("a format that makes no sense is refused", () => {
  for (const format of ["%z", "a%", "a%5", "%-", "\\q", "a\\", "@", "%99999999p"]) {
    assert.isTrue(Result.isFailure(Template.parse(format)), format)
  }
})
