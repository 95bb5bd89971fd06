import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { type ConnectString, formatServer, parse } from "../../../src/domain/zookeeper/ConnectString.ts"

describe("a connect string", () => {
  const good: ReadonlyArray<readonly [string, ConnectString]> = [
    ["zk1:2181", { servers: [{ host: "zk1", port: 2181 }], chroot: "" }],
    ["localhost", { servers: [{ host: "localhost", port: 2181 }], chroot: "" }],
    ["zk1:2181/", { servers: [{ host: "zk1", port: 2181 }], chroot: "" }],
    [
      "zk1.example.org:2182, 10.0.0.2/mqttzoo/blue",
      {
        servers: [
          { host: "zk1.example.org", port: 2182 },
          { host: "10.0.0.2", port: 2181 }
        ],
        chroot: "/mqttzoo/blue"
      }
    ],
    [
      "[::1]:15000,[fe80::1%eth0]/x",
      {
        servers: [
          { host: "::1", port: 15_000 },
          { host: "fe80::1%eth0", port: 2181 }
        ],
        chroot: "/x"
      }
    ]
  ]
  for (const [text, expected] of good) {
    it(`may be ${text}`, () => assert.deepStrictEqual(Result.getOrThrow(parse(text)), expected))
  }

  const bad: ReadonlyArray<readonly [string, string]> = [
    ["", "names no server"],
    ["/chroot", "names no server"],
    ["zk1,,zk2", "has nothing between two commas"],
    ["zk1,", "or at an end"],
    ["zk1:0", 'the port "0"'],
    ["zk1:65536", 'the port "65536"'],
    ["zk1:", 'the port ""'],
    ["zk1:http", 'the port "http"'],
    ["::1", "an IPv6 address stands in brackets"],
    ["zk1:2181:2181", "a name has one port"],
    ["[::1", "no host"],
    ["[::1]x", "no host"],
    ["[zk1]:2181", "no host"],
    ["zk 1", "no host"],
    ["me@zk1", "no host"],
    ["zk1/a/", "ends with a path that ends with /"],
    ["zk1//a", "ends with a path that has an empty level"],
    ["zk1/a/../b", "relative level"],
    ["zk1:2181/a,zk2:2181/\u0001", "U+0001"],
    ["http://zk1:2181", "path that has an empty level"]
  ]
  for (const [text, why] of bad) {
    it(`is refused as ${JSON.stringify(text)}, and the error says why`, () => {
      const error = Result.getOrThrow(Result.flip(parse(text)))
      assert.strictEqual(error.text, text)
      assert.include(error.message, JSON.stringify(text))
      assert.include(error.message, why)
    })
  }

  it("has servers that are written as they are read", () => {
    for (const server of ["zk1:2181", "[::1]:15000"]) {
      assert.strictEqual(formatServer(Result.getOrThrow(parse(server)).servers[0]!), server)
    }
  })
})
