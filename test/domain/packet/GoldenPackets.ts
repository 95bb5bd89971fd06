/** Packets with their bytes, written by hand from the specifications: each is decoded and encoded. */
import type { Packet, ProtocolVersion, PubAck, PubComp, PubRec, PubRel } from "../../../src/domain/packet/Packet.ts"
import type { Part } from "./Bytes.ts"
import { bytes } from "./Bytes.ts"

export interface GoldenPacket {
  readonly name: string
  readonly version: ProtocolVersion
  /** Whose decoder reads it. */
  readonly role: "server" | "client"
  readonly packet: Packet
  readonly bytes: Buffer
}

const golden = (
  role: GoldenPacket["role"],
  version: ProtocolVersion,
  name: string,
  packet: Packet,
  ...parts: ReadonlyArray<Part>
): GoldenPacket => ({ name, version, role, packet, bytes: bytes(...parts) })

const connects: ReadonlyArray<GoldenPacket> = [
  golden(
    "server",
    3,
    "the smallest CONNECT of MQTT 3.1",
    { _tag: "Connect", protocolVersion: 3, clientId: "c1", cleanStart: true, keepAlive: 60 },
    [0x10, 16], // CONNECT, Remaining Length
    [0, 6, "MQIsdp", 3], // Protocol Name, Protocol Level
    [0b00000010, 0, 60], // Clean Session; Keep Alive
    [0, 2, "c1"] // Client Identifier
  ),
  golden(
    "server",
    4,
    "a CONNECT of MQTT 3.1.1 with everything",
    {
      _tag: "Connect",
      protocolVersion: 4,
      clientId: "c1",
      cleanStart: false,
      keepAlive: 65_535,
      will: { topic: "w/t", payload: Buffer.from("gone"), qos: 2, retain: true },
      username: "user",
      password: Buffer.from([0, 0xff])
    },
    [0x10, 35], // CONNECT, Remaining Length
    [0, 4, "MQTT", 4], // Protocol Name, Protocol Level
    [0b11110100, 0xff, 0xff], // User Name, Password, Will Retain, Will QoS 2, Will; Keep Alive
    [0, 2, "c1"], // Client Identifier
    [0, 3, "w/t", 0, 4, "gone"], // Will Topic, Will Message
    [0, 4, "user"], // User Name
    [0, 2, 0, 0xff] // Password
  ),
  golden(
    "server",
    5,
    "the smallest CONNECT of MQTT 5.0",
    { _tag: "Connect", protocolVersion: 5, clientId: "", cleanStart: true, keepAlive: 0 },
    [0x10, 13], // CONNECT, Remaining Length
    [0, 4, "MQTT", 5], // Protocol Name, Protocol Version
    [0b00000010, 0, 0], // Clean Start; Keep Alive
    0, // Property Length
    [0, 0] // Client Identifier
  ),
  golden(
    "server",
    5,
    "a CONNECT of MQTT 5.0 with a Password but no User Name",
    { _tag: "Connect", protocolVersion: 5, clientId: "c", cleanStart: false, keepAlive: 1, password: Buffer.from("p") },
    [0x10, 17, 0, 4, "MQTT", 5],
    [0b01000000, 0, 1, 0], // Password; Keep Alive; Property Length
    [0, 1, "c", 0, 1, "p"] // Client Identifier, Password
  ),
  golden(
    "server",
    5,
    "a CONNECT of MQTT 5.0 with every property",
    {
      _tag: "Connect",
      protocolVersion: 5,
      clientId: "c1",
      cleanStart: false,
      keepAlive: 10,
      will: {
        topic: "w",
        payload: Buffer.from("x"),
        qos: 1,
        retain: false,
        properties: {
          willDelayInterval: 5,
          payloadFormatIndicator: 1,
          messageExpiryInterval: 60,
          contentType: "t",
          responseTopic: "r",
          correlationData: Buffer.from([7]),
          userProperties: [["a", "b"]]
        }
      },
      username: "u",
      password: Buffer.from("p"),
      properties: {
        sessionExpiryInterval: 0xffff_ffff,
        receiveMaximum: 20,
        maximumPacketSize: 65_536,
        topicAliasMaximum: 10,
        requestResponseInformation: 1,
        requestProblemInformation: 0,
        authenticationMethod: "m",
        authenticationData: Buffer.from([1, 2]),
        userProperties: [
          ["k", "v"],
          ["k", ""]
        ]
      }
    },
    [0x10, 101, 0, 4, "MQTT", 5],
    [0b11001100, 0, 10], // User Name, Password, Will QoS 1, Will; Keep Alive
    42, // Property Length
    [0x11, 0xff, 0xff, 0xff, 0xff], // Session Expiry Interval
    [0x21, 0, 20], // Receive Maximum
    [0x27, 0, 1, 0, 0], // Maximum Packet Size
    [0x22, 0, 10], // Topic Alias Maximum
    [0x19, 1], // Request Response Information
    [0x17, 0], // Request Problem Information
    [0x15, 0, 1, "m"], // Authentication Method
    [0x16, 0, 2, 1, 2], // Authentication Data
    [0x26, 0, 1, "k", 0, 1, "v"], // User Property
    [0x26, 0, 1, "k", 0, 0], // User Property of the same name
    [0, 2, "c1"], // Client Identifier
    31, // Will: Property Length
    [0x18, 0, 0, 0, 5], // Will Delay Interval
    [0x01, 1], // Payload Format Indicator
    [0x02, 0, 0, 0, 60], // Message Expiry Interval
    [0x03, 0, 1, "t"], // Content Type
    [0x08, 0, 1, "r"], // Response Topic
    [0x09, 0, 1, 7], // Correlation Data
    [0x26, 0, 1, "a", 0, 1, "b"], // User Property
    [0, 1, "w", 0, 1, "x"], // Will Topic, Will Payload
    [0, 1, "u", 0, 1, "p"] // User Name, Password
  )
]

const connAcks: ReadonlyArray<GoldenPacket> = [
  golden(
    "client",
    4,
    "a CONNACK of MQTT 3.1.1 that finds a session",
    { _tag: "ConnAck", sessionPresent: true, reasonCode: 0 },
    [0x20, 2, 1, 0] // CONNACK, Remaining Length, Session Present, return code
  ),
  golden(
    "client",
    4,
    "a CONNACK of MQTT 3.1.1 that refuses",
    { _tag: "ConnAck", sessionPresent: false, reasonCode: 5 },
    [0x20, 2, 0, 5]
  ),
  golden(
    "client",
    5,
    "a CONNACK of MQTT 5.0 that refuses",
    { _tag: "ConnAck", sessionPresent: false, reasonCode: 0x87 },
    [0x20, 3, 0, 0x87, 0] // …, reason code, Property Length
  ),
  golden(
    "client",
    5,
    "a CONNACK of MQTT 5.0 with every property",
    {
      _tag: "ConnAck",
      sessionPresent: false,
      reasonCode: 0,
      properties: {
        sessionExpiryInterval: 100,
        receiveMaximum: 65_535,
        maximumQoS: 1,
        retainAvailable: 0,
        maximumPacketSize: 1,
        assignedClientIdentifier: "id",
        topicAliasMaximum: 0,
        wildcardSubscriptionAvailable: 1,
        subscriptionIdentifiersAvailable: 0,
        sharedSubscriptionAvailable: 1,
        serverKeepAlive: 300,
        responseInformation: "ri",
        serverReference: "sr",
        authenticationMethod: "m",
        authenticationData: Buffer.from([9]),
        reasonString: "é",
        userProperties: [["k", "v"]]
      }
    },
    [0x20, 67, 0, 0], // CONNACK, Remaining Length, flags, reason code
    64, // Property Length
    [0x11, 0, 0, 0, 100], // Session Expiry Interval
    [0x21, 0xff, 0xff], // Receive Maximum
    [0x24, 1], // Maximum QoS
    [0x25, 0], // Retain Available
    [0x27, 0, 0, 0, 1], // Maximum Packet Size
    [0x12, 0, 2, "id"], // Assigned Client Identifier
    [0x22, 0, 0], // Topic Alias Maximum
    [0x28, 1], // Wildcard Subscription Available
    [0x29, 0], // Subscription Identifiers Available
    [0x2a, 1], // Shared Subscription Available
    [0x13, 1, 44], // Server Keep Alive
    [0x1a, 0, 2, "ri"], // Response Information
    [0x1c, 0, 2, "sr"], // Server Reference
    [0x15, 0, 1, "m"], // Authentication Method
    [0x16, 0, 1, 9], // Authentication Data
    [0x1f, 0, 2, 0xc3, 0xa9], // Reason String
    [0x26, 0, 1, "k", 0, 1, "v"] // User Property
  )
]

const publishes: ReadonlyArray<GoldenPacket> = [
  golden(
    "server",
    4,
    "a PUBLISH of QoS 0 and MQTT 3.1.1",
    { _tag: "Publish", topic: "a/b", payload: Buffer.from("hi"), qos: 0, retain: false, dup: false, packetId: 0 },
    [0x30, 7, 0, 3, "a/b", "hi"] // PUBLISH, Remaining Length, Topic Name, payload
  ),
  golden(
    "server",
    4,
    "a PUBLISH of QoS 1 that is retained and sent again, without a payload",
    { _tag: "Publish", topic: "t", payload: Buffer.alloc(0), qos: 1, retain: true, dup: true, packetId: 0x1234 },
    [0b0011_1011, 5, 0, 1, "t", 0x12, 0x34] // PUBLISH DUP QoS 1 RETAIN, …, Packet Identifier
  ),
  golden(
    "client",
    5,
    "a PUBLISH of QoS 2 and MQTT 5.0 without properties",
    { _tag: "Publish", topic: "\ufefft", payload: Buffer.from([0]), qos: 2, retain: false, dup: false, packetId: 1 },
    [0x34, 10, 0, 4, 0xef, 0xbb, 0xbf, "t", 0, 1], // …, the byte order mark belongs to the Topic Name
    [0, 0] // Property Length, payload
  ),
  golden(
    "client",
    5,
    "a PUBLISH with every property",
    {
      _tag: "Publish",
      topic: "",
      payload: Buffer.from("p"),
      qos: 0,
      retain: true,
      dup: false,
      packetId: 0,
      properties: {
        payloadFormatIndicator: 0,
        messageExpiryInterval: 0x0102_0304,
        contentType: "ct",
        responseTopic: "r/t",
        correlationData: Buffer.from([1]),
        userProperties: [["", ""]],
        topicAlias: 1,
        subscriptionIdentifiers: [1, 268_435_455]
      }
    },
    [0x31, 41, 0, 0], // PUBLISH RETAIN, Remaining Length, Topic Name
    37, // Property Length
    [0x01, 0], // Payload Format Indicator
    [0x02, 1, 2, 3, 4], // Message Expiry Interval
    [0x03, 0, 2, "ct"], // Content Type
    [0x08, 0, 3, "r/t"], // Response Topic
    [0x09, 0, 1, 1], // Correlation Data
    [0x26, 0, 0, 0, 0], // User Property
    [0x23, 0, 1], // Topic Alias
    [0x0b, 1], // Subscription Identifier
    [0x0b, 0xff, 0xff, 0xff, 0x7f], // Subscription Identifier
    "p"
  ),
  golden(
    "server",
    4,
    "a PUBLISH whose Remaining Length takes two bytes",
    { _tag: "Publish", topic: "t", payload: Buffer.alloc(125, 1), qos: 0, retain: false, dup: false, packetId: 0 },
    [0x30, 0x80, 0x01, 0, 1, "t", ...Array.from({ length: 125 }, () => 1)]
  )
]

const acknowledgements: ReadonlyArray<GoldenPacket> = (
  [
    ["PubAck", 0x40, 0x10],
    ["PubRec", 0x50, 0x97],
    ["PubRel", 0x62, 0x92],
    ["PubComp", 0x70, 0x92]
  ] as const
).flatMap(([tag, first, code]) => {
  const success: Packet = { _tag: tag, packetId: 0x0a0b, reasonCode: 0 }
  const other = { _tag: tag, packetId: 1, reasonCode: code } as PubAck | PubRec | PubRel | PubComp
  const properties = { reasonString: "no", userProperties: [["k", "v"]] } as const
  return [
    golden("server", 4, `a ${tag} of MQTT 3.1.1`, success, first, 2, 0x0a, 0x0b), // …, Packet Identifier
    golden("client", 5, `a ${tag} of MQTT 5.0 that is plain success`, success, first, 2, 0x0a, 0x0b),
    golden("server", 5, `a ${tag} with a reason code`, other, first, 3, 0, 1, code),
    golden(
      "client",
      5,
      `a ${tag} with properties`,
      { ...other, properties },
      [first, 16, 0, 1, code, 12], // …, Packet Identifier, reason code, Property Length
      [0x1f, 0, 2, "no"], // Reason String
      [0x26, 0, 1, "k", 0, 1, "v"] // User Property
    )
  ]
})

const subscriptions: ReadonlyArray<GoldenPacket> = [
  golden(
    "server",
    4,
    "a SUBSCRIBE of MQTT 3.1.1",
    {
      _tag: "Subscribe",
      packetId: 10,
      subscriptions: [
        { filter: "a/+", qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 },
        { filter: "#", qos: 2, noLocal: false, retainAsPublished: false, retainHandling: 0 }
      ]
    },
    [0x82, 12, 0, 10], // SUBSCRIBE, Remaining Length, Packet Identifier
    [0, 3, "a/+", 1], // Topic Filter, Requested QoS
    [0, 1, "#", 2]
  ),
  golden(
    "server",
    5,
    "a SUBSCRIBE of MQTT 5.0 with all options and properties",
    {
      _tag: "Subscribe",
      packetId: 1,
      subscriptions: [
        { filter: "a", qos: 2, noLocal: true, retainAsPublished: true, retainHandling: 2 },
        { filter: "$share/g/a", qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 1 }
      ],
      properties: { subscriptionIdentifier: 128, userProperties: [["k", "v"]] }
    },
    [0x82, 30, 0, 1], // SUBSCRIBE, Remaining Length, Packet Identifier
    10, // Property Length
    [0x0b, 0x80, 0x01], // Subscription Identifier
    [0x26, 0, 1, "k", 0, 1, "v"], // User Property
    [0, 1, "a", 0b0010_1110], // Topic Filter; Retain Handling 2, Retain As Published, No Local, QoS 2
    [0, 10, "$share/g/a", 0b0001_0000] // Topic Filter; Retain Handling 1
  ),
  golden(
    "client",
    4,
    "a SUBACK of MQTT 3.1.1",
    { _tag: "SubAck", packetId: 10, reasonCodes: [0, 1, 2, 0x80] },
    [0x90, 6, 0, 10, 0, 1, 2, 0x80]
  ),
  golden(
    "client",
    5,
    "a SUBACK of MQTT 5.0",
    { _tag: "SubAck", packetId: 10, reasonCodes: [0x8f], properties: { reasonString: "r" } },
    [0x90, 8, 0, 10, 4, 0x1f, 0, 1, "r", 0x8f] // …, Packet Identifier, Property Length, Reason String, reason code
  ),
  golden("server", 4, "an UNSUBSCRIBE of MQTT 3.1.1", { _tag: "Unsubscribe", packetId: 2, filters: ["a", "b/#"] }, [
    0xa2,
    10,
    0,
    2,
    0,
    1,
    "a",
    0,
    3,
    "b/#"
  ]),
  golden(
    "server",
    5,
    "an UNSUBSCRIBE of MQTT 5.0",
    { _tag: "Unsubscribe", packetId: 2, filters: ["a"], properties: { userProperties: [["k", "v"]] } },
    [0xa2, 13, 0, 2, 7, 0x26, 0, 1, "k", 0, 1, "v", 0, 1, "a"]
  ),
  golden("client", 4, "an UNSUBACK of MQTT 3.1.1", { _tag: "UnsubAck", packetId: 2, reasonCodes: [] }, [0xb0, 2, 0, 2]),
  golden(
    "client",
    5,
    "an UNSUBACK of MQTT 5.0",
    { _tag: "UnsubAck", packetId: 2, reasonCodes: [0, 0x11] },
    [0xb0, 5, 0, 2, 0, 0, 0x11]
  )
]

const others: ReadonlyArray<GoldenPacket> = [
  golden("server", 4, "a PINGREQ", { _tag: "PingReq" }, 0xc0, 0),
  golden("client", 5, "a PINGRESP", { _tag: "PingResp" }, 0xd0, 0),
  golden("server", 4, "a DISCONNECT of MQTT 3.1.1", { _tag: "Disconnect", reasonCode: 0 }, 0xe0, 0),
  golden("server", 5, "a normal DISCONNECT of MQTT 5.0", { _tag: "Disconnect", reasonCode: 0 }, 0xe0, 0),
  golden("server", 5, "a DISCONNECT with a reason code", { _tag: "Disconnect", reasonCode: 4 }, 0xe0, 1, 4),
  golden(
    "server",
    5,
    "a DISCONNECT with a Session Expiry Interval",
    { _tag: "Disconnect", reasonCode: 0, properties: { sessionExpiryInterval: 0 } },
    [0xe0, 7, 0, 5, 0x11, 0, 0, 0, 0]
  ),
  golden(
    "client",
    5,
    "a DISCONNECT of a server with all it may have",
    {
      _tag: "Disconnect",
      reasonCode: 0x9d,
      properties: { serverReference: "b", reasonString: "r", userProperties: [["k", "v"]] }
    },
    [0xe0, 17, 0x9d, 15, 0x1c, 0, 1, "b", 0x1f, 0, 1, "r", 0x26, 0, 1, "k", 0, 1, "v"]
  ),
  golden("client", 5, "an AUTH that is plain success", { _tag: "Auth", reasonCode: 0 }, 0xf0, 0),
  golden(
    "server",
    5,
    "an AUTH with every property",
    {
      _tag: "Auth",
      reasonCode: 0x18,
      properties: {
        authenticationMethod: "m",
        authenticationData: Buffer.from([1]),
        reasonString: "r",
        userProperties: [["k", "v"]]
      }
    },
    [0xf0, 21, 0x18, 19], // AUTH, Remaining Length, reason code, Property Length
    [0x15, 0, 1, "m", 0x16, 0, 1, 1, 0x1f, 0, 1, "r", 0x26, 0, 1, "k", 0, 1, "v"]
  )
]

export const goldenPackets: ReadonlyArray<GoldenPacket> = [
  ...connects,
  ...connAcks,
  ...publishes,
  ...acknowledgements,
  ...subscriptions,
  ...others
]
