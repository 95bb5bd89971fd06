import { assert, describe, it } from "@effect/vitest"
import * as Decoder from "../../../src/domain/packet/Decoder.ts"
import type { ProtocolVersion } from "../../../src/domain/packet/Packet.ts"
import { ProtocolError } from "../../../src/domain/packet/ProtocolError.ts"
import type { Part } from "./Bytes.ts"
import { bytes } from "./Bytes.ts"

const decode = (role: "server" | "client", version: ProtocolVersion | undefined, frame: Buffer) => {
  const limits = { maximumPacketSize: 1000 }
  const decoder =
    role === "server"
      ? Decoder.make({ role, ...limits, ...(version === undefined ? {} : { version }) })
      : Decoder.make({ role, ...limits, version: version ?? 5 })
  decoder.push(frame)
  return decoder.next()
}

/** What is refused, the bytes, the reason code, the statement broken. */
type Case = readonly [string, ReadonlyArray<Part>, number, string]

const refuses = (role: "server" | "client", version: ProtocolVersion | undefined, cases: ReadonlyArray<Case>) => {
  for (const [name, parts, reasonCode, statement] of cases) {
    it(`${name} [${statement}]`, () => {
      const error = decode(role, version, bytes(...parts))
      assert.instanceOf(error, ProtocolError)
      assert.deepStrictEqual([error.reasonCode, error.statement], [reasonCode, statement], error.message)
      assert.include(error.message, error.detail)
    })
  }
}

/** A CONNECT of MQTT 5.0 with these flags, with these properties and this payload after its Keep Alive. */
const connect5 = (flags: number, properties: ReadonlyArray<Part>, ...payload: ReadonlyArray<Part>): Array<Part> => {
  const length = bytes(properties).length
  const body = bytes([0, 4, "MQTT", 5, flags, 0, 0, length], properties, ...payload)
  return [0x10, body.length, [...body]]
}

const connect4 = (flags: number, ...payload: ReadonlyArray<Part>): Array<Part> => {
  const body = bytes([0, 4, "MQTT", 4, flags, 0, 0], ...payload)
  return [0x10, body.length, [...body]]
}

/** A packet of MQTT 5.0: its first byte, what precedes the properties, the properties, what follows them. */
const packet5 = (
  first: number,
  before: ReadonlyArray<Part>,
  properties: ReadonlyArray<Part>,
  ...after: ReadonlyArray<Part>
): Array<Part> => {
  const body = bytes(before, bytes(properties).length, properties, ...after)
  return [first, body.length, [...body]]
}

const publish5 = (properties: ReadonlyArray<Part>): Array<Part> => packet5(0x30, [0, 1, "t"], properties)
const connAck5 = (properties: ReadonlyArray<Part>): Array<Part> => packet5(0x20, [0, 0], properties)
const subscribe5 = (...subscription: ReadonlyArray<Part>): Array<Part> => packet5(0x82, [0, 1], [], ...subscription)

describe("before a CONNECT, a server refuses", () => {
  refuses("server", undefined, [
    ["any other packet", [0xc0], 0x82, "MQTT-3.1.0-1"],
    ["the first byte of another protocol", ["GET / HTTP/1.1"], 0x82, "MQTT-3.1.0-1"],
    ["a CONNECT with flags in its fixed header", [0x11], 0x81, "MQTT-2.1.3-1"],
    ["a Protocol Name that is not of MQTT", [0x10, 12, 0, 4, "MQTX", 4, 2, 0, 0, 0, 0], 0x84, "MQTT-3.1.2-1"],
    [
      "the Protocol Name of MQTT 3.1 in another version",
      [0x10, 14, 0, 6, "MQIsdp", 4, 2, 0, 0, 0, 0],
      0x84,
      "MQTT-3.1.2-1"
    ],
    [
      "the Protocol Name of another version in MQTT 3.1",
      [0x10, 12, 0, 4, "MQTT", 3, 2, 0, 0, 0, 0],
      0x84,
      "MQTT-3.1.2-1"
    ],
    ["an unknown Protocol Version", [0x10, 12, 0, 4, "MQTT", 6, 2, 0, 0, 0, 0], 0x84, "MQTT-3.1.2-2"],
    ["a CONNECT without a body", [0x10, 0], 0x81, "section 1.5.2"],
    ["a CONNECT that ends after its Protocol Name", [0x10, 6, 0, 4, "MQTT"], 0x81, "section 1.5.1"],
    ["the reserved Connect Flag", connect5(0x03, [], [0, 1, "c"]), 0x81, "MQTT-3.1.2-3"],
    ["Will QoS 3", connect5(0x1e, [], [0, 1, "c"]), 0x81, "MQTT-3.1.2-12"],
    ["a Will QoS without a Will", connect5(0x0a, [], [0, 1, "c"]), 0x81, "MQTT-3.1.2-11"],
    ["Will Retain without a Will", connect5(0x22, [], [0, 1, "c"]), 0x81, "MQTT-3.1.2-13"],
    ["a CONNECT without a Client Identifier", connect5(0x02, []), 0x81, "section 1.5.2"],
    ["a Will Flag without a Will", connect5(0x06, [], [0, 1, "c"]), 0x81, "section 1.5.1"],
    ["a Will Topic that is empty", connect5(0x06, [], [0, 1, "c", 0, 0, 0, 0, 0]), 0x90, "MQTT-4.7.3-1"],
    ["a Will Topic with a wildcard", connect5(0x06, [], [0, 1, "c", 0, 0, 1, "#", 0, 0]), 0x90, "MQTT-4.7.0-1"],
    ["a User Name Flag without a User Name", connect5(0x82, [], [0, 1, "c"]), 0x81, "section 1.5.2"],
    ["a Password Flag without a Password", connect5(0x42, [], [0, 1, "c"]), 0x81, "section 1.5.2"],
    ["bytes after the payload", connect5(0x02, [], [0, 1, "c", 0]), 0x81, "section 2.1.4"],
    ["a Client Identifier with U+0000", connect5(0x02, [], [0, 1, 0]), 0x81, "MQTT-1.5.4-2"],
    ["a Client Identifier that is no UTF-8", connect5(0x02, [], [0, 1, 0xff]), 0x81, "MQTT-1.5.4-1"],
    ["Authentication Data without a method", connect5(2, [0x16, 0, 0], [0, 0]), 0x82, "section 3.1.2.11"],
    ["Receive Maximum 0", connect5(2, [0x21, 0, 0], [0, 0]), 0x82, "section 3.1.2.11"],
    ["Maximum Packet Size 0", connect5(2, [0x27, 0, 0, 0, 0], [0, 0]), 0x82, "section 3.1.2.11"],
    ["Request Problem Information 2", connect5(2, [0x17, 2], [0, 0]), 0x82, "section 3.1.2.11"],
    ["Request Response Information 2", connect5(2, [0x19, 2], [0, 0]), 0x82, "section 3.1.2.11"],
    ["a property that comes twice", connect5(2, [0x17, 1, 0x17, 1], [0, 0]), 0x82, "section 3.1.2.11"],
    ["a property of the Will outside of it", connect5(2, [0x18, 0, 0, 0, 0], [0, 0]), 0x81, "section 3.1.2.11"],
    ["a property of the CONNECT in the Will", connect5(6, [], [0, 0, 3, 0x21, 0, 1]), 0x81, "section 3.1.3.2"]
  ])
})

describe("before a CONNECT of MQTT 3.1.1, a server refuses", () => {
  refuses("server", undefined, [
    ["the reserved Connect Flag", connect4(0x03, [0, 1, "c"]), 0x81, "3.1.1:MQTT-3.1.2-3"],
    ["Will QoS 3", connect4(0x1e, [0, 1, "c"]), 0x81, "3.1.1:MQTT-3.1.2-14"],
    ["a Will QoS without a Will", connect4(0x0a, [0, 1, "c"]), 0x81, "3.1.1:MQTT-3.1.2-13"],
    ["Will Retain without a Will", connect4(0x22, [0, 1, "c"]), 0x81, "3.1.1:MQTT-3.1.2-15"],
    ["a Password without a User Name", connect4(0x42, [0, 1, "c", 0, 1, "p"]), 0x81, "3.1.1:MQTT-3.1.2-22"],
    ["a Client Identifier with U+0000", connect4(0x02, [0, 1, 0]), 0x81, "3.1.1:MQTT-1.4.0-2"],
    ["a Client Identifier that is no UTF-8", connect4(0x02, [0, 1, 0xff]), 0x81, "3.1.1:MQTT-1.4.0-1"],
    ["a Will Topic with a wildcard", connect4(0x06, [0, 1, "c", 0, 1, "+", 0, 0]), 0x90, "3.1.1:MQTT-4.7.1-1"]
  ])
})

describe("of MQTT 5.0, a server refuses", () => {
  refuses("server", 5, [
    ["the packet type 0", [0x00], 0x81, "section 2.1.2"],
    ["a CONNACK", [0x20], 0x82, "section 2.1.2"],
    ["a SUBACK", [0x90], 0x82, "section 2.1.2"],
    ["an UNSUBACK", [0xb0], 0x82, "section 2.1.2"],
    ["a PINGRESP", [0xd0], 0x82, "section 2.1.2"],
    ["a Remaining Length of five bytes", [0x30, 0xff, 0xff, 0xff, 0xff], 0x81, "section 1.5.5"],
    ["a Remaining Length with a byte too many", [0x30, 0x81, 0x00], 0x81, "MQTT-1.5.5-1"],
    ["a packet over the maximum, from its length", [0x30, 0xe8, 0x07], 0x95, "MQTT-3.2.2-15"],
    ["a PUBLISH of QoS 3", [0x36], 0x81, "MQTT-3.3.1-4"],
    ["DUP in a PUBLISH of QoS 0", [0x38], 0x81, "MQTT-3.3.1-2"],
    ["flags in a PUBACK", [0x42], 0x81, "MQTT-2.1.3-1"],
    ["flags in a PUBREC", [0x51], 0x81, "MQTT-2.1.3-1"],
    ["a PUBREL without its flags", [0x60], 0x81, "MQTT-3.6.1-1"],
    ["flags in a PUBCOMP", [0x78], 0x81, "MQTT-2.1.3-1"],
    ["a SUBSCRIBE without its flags", [0x80], 0x81, "MQTT-3.8.1-1"],
    ["an UNSUBSCRIBE without its flags", [0xa0], 0x81, "MQTT-3.10.1-1"],
    ["flags in a PINGREQ", [0xc1], 0x81, "MQTT-2.1.3-1"],
    ["flags in a DISCONNECT", [0xe1], 0x81, "MQTT-3.14.1-1"],
    ["flags in an AUTH", [0xf1], 0x81, "MQTT-3.15.1-1"],
    ["a PUBLISH without a Topic Name", [0x30, 1, 0], 0x81, "section 1.5.4"],
    ["a Topic Name longer than the packet", [0x30, 4, 0, 3, "ab"], 0x81, "section 1.5.4"],
    ["a Topic Name with +", [0x30, 6, 0, 3, "a/+", 0], 0x90, "MQTT-3.3.2-2"],
    ["a Topic Name with #", [0x30, 4, 0, 1, "#", 0], 0x90, "MQTT-3.3.2-2"],
    ["a Topic Name with U+0000", [0x30, 5, 0, 2, "a", 0, 0], 0x81, "MQTT-1.5.4-2"],
    ["a Topic Name with a surrogate", [0x30, 6, 0, 3, 0xed, 0xa0, 0x80, 0], 0x81, "MQTT-1.5.4-1"],
    ["an empty Topic Name without an alias", [0x30, 3, 0, 0, 0], 0x82, "section 3.3.2.1"],
    ["a PUBLISH cut before its Packet Identifier", [0x32, 4, 0, 1, "t", 0], 0x81, "section 2.2.1"],
    ["Packet Identifier 0 in a PUBLISH", [0x32, 6, 0, 1, "t", 0, 0, 0], 0x82, "MQTT-2.2.1-3"],
    ["a PUBLISH without a Property Length", [0x30, 3, 0, 1, "t"], 0x81, "section 1.5.1"],
    ["a Property Length over the end of the packet", [0x30, 4, 0, 1, "t", 1], 0x81, "section 2.2.2.1"],
    ["a Property Length with a byte too many", [0x30, 6, 0, 1, "t", 0x80, 0x00, 0], 0x81, "MQTT-1.5.5-1"],
    ["a property longer than the Property Length", publish5([0x02, 0, 0, 0]), 0x81, "section 1.5.3"],
    ["a string longer than the Property Length", publish5([0x03, 0, 2, "a"]), 0x81, "section 1.5.4"],
    ["binary data longer than the Property Length", publish5([0x09, 0, 2, "a"]), 0x81, "section 1.5.6"],
    ["an unknown property", publish5([0x04, 0]), 0x81, "section 2.2.2.2"],
    ["an unknown property of a high identifier", publish5([0xff, 0xff, 0xff, 0x7f]), 0x81, "section 2.2.2.2"],
    ["a property identifier of five bytes", publish5([0xff, 0xff, 0xff, 0xff, 0x7f]), 0x81, "section 1.5.5"],
    ["a property of another packet", publish5([0x11, 0, 0, 0, 0]), 0x81, "section 3.3.2.3"],
    ["Payload Format Indicator 2", publish5([0x01, 2]), 0x82, "section 3.3.2.3"],
    ["a property of a PUBLISH that comes twice", publish5([0x23, 0, 1, 0x23, 0, 1]), 0x82, "section 3.3.2.3"],
    ["Topic Alias 0", publish5([0x23, 0, 0]), 0x94, "MQTT-3.3.2-8"],
    ["a Response Topic with a wildcard", publish5([0x08, 0, 1, "#"]), 0x90, "MQTT-3.3.2-14"],
    ["an empty Response Topic", publish5([0x08, 0, 0]), 0x90, "MQTT-4.7.3-1"],
    ["a Subscription Identifier of a client", publish5([0x0b, 1]), 0x82, "MQTT-3.3.4-6"],
    ["a User Property that is no UTF-8", publish5([0x26, 0, 1, "k", 0, 1, 0xc0]), 0x81, "MQTT-1.5.4-1"],
    ["a PUBACK without a Packet Identifier", [0x40, 0], 0x81, "section 1.5.2"],
    ["Packet Identifier 0 in a PUBACK", [0x40, 2, 0, 0], 0x82, "MQTT-2.2.1-3"],
    ["an unknown reason code in a PUBACK", [0x40, 3, 0, 1, 0x01], 0x82, "MQTT-3.4.2-1"],
    ["an unknown reason code in a PUBREC", [0x50, 3, 0, 1, 0x92], 0x82, "MQTT-3.5.2-1"],
    ["an unknown reason code in a PUBREL", [0x62, 3, 0, 1, 0x10], 0x82, "MQTT-3.6.2-1"],
    ["an unknown reason code in a PUBCOMP", [0x70, 3, 0, 1, 0x10], 0x82, "MQTT-3.7.2-1"],
    ["bytes after the properties of a PUBACK", [0x40, 5, 0, 1, 0, 0, 0], 0x81, "section 2.1.4"],
    ["Packet Identifier 0 in a SUBSCRIBE", [0x82, 7, 0, 0, 0, 0, 1, "a", 0], 0x82, "MQTT-2.2.1-3"],
    ["a SUBSCRIBE without a subscription", subscribe5(), 0x82, "MQTT-3.8.3-2"],
    ["a Topic Filter without options", subscribe5([0, 1, "a"]), 0x81, "section 1.5.1"],
    ["a Topic Filter that is no UTF-8", subscribe5([0, 1, 0x80, 0]), 0x81, "MQTT-1.5.4-1"],
    ["a subscription of QoS 3", subscribe5([0, 1, "a", 3]), 0x82, "section 3.8.3.1"],
    ["Retain Handling 3", subscribe5([0, 1, "a", 0x30]), 0x82, "section 3.8.3.1"],
    ["bit 6 of the Subscription Options", subscribe5([0, 1, "a", 0x40]), 0x81, "MQTT-3.8.3-5"],
    ["bit 7 of the Subscription Options", subscribe5([0, 1, "a", 0x80]), 0x81, "MQTT-3.8.3-5"],
    ["No Local on a shared subscription", subscribe5([0, 10, "$share/g/a", 4]), 0x82, "MQTT-3.8.3-4"],
    ["Subscription Identifier 0", packet5(0x82, [0, 1], [0x0b, 0], [0, 1, "a", 0]), 0x82, "section 3.8.2.1"],
    [
      "two Subscription Identifiers in a SUBSCRIBE",
      packet5(0x82, [0, 1], [0x0b, 1, 0x0b, 2], [0, 1, "a", 0]),
      0x82,
      "section 3.8.2.1"
    ],
    ["Packet Identifier 0 in an UNSUBSCRIBE", [0xa2, 6, 0, 0, 0, 0, 1, "a"], 0x82, "MQTT-2.2.1-3"],
    ["an UNSUBSCRIBE without a Topic Filter", [0xa2, 3, 0, 1, 0], 0x82, "MQTT-3.10.3-2"],
    ["a body in a PINGREQ", [0xc0, 1, 0], 0x81, "section 2.1.4"],
    ["an unknown reason code in a DISCONNECT", [0xe0, 1, 0x01], 0x82, "MQTT-3.14.2-1"],
    ["bytes after the properties of a DISCONNECT", [0xe0, 3, 0, 0, 0], 0x81, "section 2.1.4"],
    ["a property of CONNECT in a DISCONNECT", [0xe0, 5, 0, 3, 0x21, 0, 1], 0x81, "section 3.14.2.2"],
    ["an unknown reason code in an AUTH", [0xf0, 2, 0x80, 0], 0x82, "MQTT-3.15.2-1"],
    ["Authentication Data without a method in an AUTH", [0xf0, 5, 0x18, 3, 0x16, 0, 0], 0x82, "section 3.15.2.2"],
    ["a second CONNECT of an unknown version", [0x10, 12, 0, 4, "MQTT", 9, 2, 0, 0, 0, 0], 0x84, "MQTT-3.1.2-2"]
  ])
})

describe("of MQTT 3.1.1, a server refuses", () => {
  refuses("server", 4, [
    ["the packet type 0", [0x00], 0x81, "3.1.1:section 2.2.1"],
    ["an AUTH", [0xf0], 0x81, "3.1.1:section 2.2.1"],
    ["a CONNACK", [0x20], 0x82, "3.1.1:section 2.2.1"],
    ["a PUBREL without its flags", [0x60], 0x81, "3.1.1:MQTT-2.2.2-2"],
    ["a SUBSCRIBE that is marked with DUP", [0x8a], 0x81, "3.1.1:MQTT-2.2.2-2"],
    ["a Remaining Length with a byte too many", [0x30, 0x81, 0x00], 0x81, "3.1.1:section 2.2.3"],
    ["a packet over the maximum", [0x30, 0xe8, 0x07], 0x95, "3.1.1:section 2.2.3"],
    ["a PUBLISH of QoS 3", [0x36], 0x81, "3.1.1:MQTT-3.3.1-4"],
    ["DUP in a PUBLISH of QoS 0", [0x38], 0x81, "3.1.1:MQTT-3.3.1-2"],
    ["an empty Topic Name", [0x30, 2, 0, 0], 0x82, "3.1.1:MQTT-4.7.3-1"],
    ["a Topic Name with a wildcard", [0x30, 3, 0, 1, "#"], 0x90, "3.1.1:MQTT-3.3.2-2"],
    ["Packet Identifier 0 in a PUBLISH", [0x32, 5, 0, 1, "t", 0, 0], 0x82, "3.1.1:MQTT-2.3.1-1"],
    ["a reason code in a PUBACK", [0x40, 3, 0, 1, 0], 0x81, "3.1.1:section 2.1.4"],
    ["a SUBSCRIBE without a subscription", [0x82, 2, 0, 1], 0x82, "3.1.1:MQTT-3.8.3-3"],
    ["a subscription of QoS 3", [0x82, 6, 0, 1, 0, 1, "a", 3], 0x82, "3.1.1:MQTT-3.8.3-4"],
    ["the options of MQTT 5.0 in a SUBSCRIBE", [0x82, 6, 0, 1, 0, 1, "a", 4], 0x81, "3.1.1:MQTT-3.8.3-4"],
    ["an UNSUBSCRIBE without a Topic Filter", [0xa2, 2, 0, 1], 0x82, "3.1.1:MQTT-3.10.3-2"],
    ["a body in a DISCONNECT", [0xe0, 1, 0], 0x81, "3.1.1:section 2.1.4"]
  ])
})

describe("of MQTT 5.0, a client refuses", () => {
  refuses("client", 5, [
    ["a CONNECT", [0x10], 0x82, "section 2.1.2"],
    ["a SUBSCRIBE", [0x82], 0x82, "section 2.1.2"],
    ["an UNSUBSCRIBE", [0xa2], 0x82, "section 2.1.2"],
    ["a PINGREQ", [0xc0], 0x82, "section 2.1.2"],
    ["a packet over its maximum", [0x30, 0xe8, 0x07], 0x95, "MQTT-3.1.2-24"],
    ["a reserved flag of CONNACK", [0x20, 3, 2, 0, 0], 0x81, "MQTT-3.2.2-1"],
    ["an unknown reason code in a CONNACK", [0x20, 3, 0, 1, 0], 0x82, "MQTT-3.2.2-8"],
    ["Session Present in a CONNACK that refuses", [0x20, 3, 1, 0x80, 0], 0x82, "MQTT-3.2.2-6"],
    ["Maximum QoS 2", connAck5([0x24, 2]), 0x82, "section 3.2.2.3"],
    ["Retain Available 2", connAck5([0x25, 2]), 0x82, "section 3.2.2.3"],
    ["Wildcard Subscription Available 2", connAck5([0x28, 2]), 0x82, "section 3.2.2.3"],
    ["Subscription Identifiers Available 2", connAck5([0x29, 2]), 0x82, "section 3.2.2.3"],
    ["Shared Subscription Available 2", connAck5([0x2a, 2]), 0x82, "section 3.2.2.3"],
    ["Subscription Identifier 0 in a PUBLISH", publish5([0x0b, 0]), 0x82, "section 3.3.2.3"],
    ["Packet Identifier 0 in a PUBLISH", [0x32, 6, 0, 1, "t", 0, 0, 0], 0x82, "MQTT-2.2.1-4"],
    ["a SUBACK without a reason code", [0x90, 3, 0, 1, 0], 0x82, "section 3.9.3"],
    ["an unknown reason code in a SUBACK", [0x90, 4, 0, 1, 0, 3], 0x82, "MQTT-3.9.3-2"],
    ["an unknown reason code in an UNSUBACK", [0xb0, 4, 0, 1, 0, 1], 0x82, "MQTT-3.11.3-2"],
    ["a body in a PINGRESP", [0xd0, 1, 0], 0x81, "section 2.1.4"],
    ["a Session Expiry Interval in a DISCONNECT", [0xe0, 7, 0, 5, 0x11, 0, 0, 0, 0], 0x82, "MQTT-3.14.2-2"]
  ])
})

describe("of MQTT 3.1.1, a client refuses", () => {
  refuses("client", 4, [
    ["a DISCONNECT", [0xe0], 0x82, "3.1.1:section 2.2.1"],
    ["an unknown return code in a CONNACK", [0x20, 2, 0, 6], 0x82, "3.1.1:section 3.2.2.3"],
    ["a reserved flag of CONNACK", [0x20, 2, 2, 0], 0x81, "3.1.1:section 3.2.2.1"],
    ["Session Present in a CONNACK that refuses", [0x20, 2, 1, 5], 0x82, "3.1.1:MQTT-3.2.2-4"],
    ["an unknown return code in a SUBACK", [0x90, 3, 0, 1, 0x81], 0x82, "3.1.1:MQTT-3.9.3-2"],
    ["reason codes in an UNSUBACK", [0xb0, 3, 0, 1, 0], 0x81, "3.1.1:section 2.1.4"]
  ])
})
