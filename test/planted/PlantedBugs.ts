/**
 * Mistakes that somebody could make, each as a change of one place in the source. A copy of the program is built with
 * one of them in it, and the simulation has to find it: that shows that its checkers can fail.
 *
 * The source itself knows nothing of them. A place that is not there any more fails the test, so they keep up with it.
 */

export interface PlantedBug {
  readonly name: string
  /** What the mistake is, for the table in docs/simulation.md. */
  readonly mistake: string
  readonly file: string
  /** The text that is replaced; it is there once. */
  readonly replace: string
  readonly by: string
}

export const plantedBugs: ReadonlyArray<PlantedBug> = [
  {
    name: "acknowledge-before-sync",
    mistake: "what waits for a transaction is told of it before it is on the disk",
    file: "src/services/Journal.ts",
    replace: `        yield* transact(operations, charge)
        for (const unit of units) pendingBytes -= bytesOf(unit)
        passes.add(() => {
          for (const unit of units) unit.committed()
        })`,
    by: `        passes.add(() => {
          for (const unit of units) unit.committed()
        })
        yield* transact(operations, charge)
        for (const unit of units) pendingBytes -= bytesOf(unit)`
  },
  {
    name: "unknown-outcome-taken-for-success",
    mistake: "a transaction whose reply was lost counts as done",
    file: "src/services/Journal.ts",
    replace: "Effect.flatMap(bank.hasHappened, (happened) => (happened ? Effect.void : Effect.fail(error)))",
    by: "Effect.void"
  },
  {
    name: "lost-wake-up",
    mistake: "what is added to a list while its taker is busy wakes nobody",
    file: "src/services/ReadyList.ts",
    replace: "    if (items.length > 0) return resume(Effect.void)\n",
    by: ""
  },
  {
    name: "failed-commit-confirmed",
    mistake: "a commit that the disk has refused is confirmed",
    file: "src/layers/ZooKeeperServer.ts",
    replace: "if (error !== undefined) {",
    by: "if (error !== undefined && zxid < 0) {"
  },
  {
    name: "refund-twice",
    mistake: "a message that is done with gives its credit back twice",
    file: "src/domain/partition/Partition.ts",
    replace: `  Outbound.complete(session.outbound, delivery)
  partition.charge -= cost(delivery.message, partition.recordCost)`,
    by: `  Outbound.complete(session.outbound, delivery)
  partition.charge -= 2 * cost(delivery.message, partition.recordCost)`
  },
  {
    name: "no-refund-of-an-ended-session",
    mistake: "what waited for a session keeps its credit when the session ends",
    file: "src/domain/partition/Partition.ts",
    replace: `  for (const delivery of Outbound.deliveries(session.outbound)) {
    partition.charge -= cost(delivery.message, partition.recordCost)
  }
`,
    by: ""
  },
  {
    name: "will-on-clean-disconnect",
    mistake: "the Will is published although the client has said goodbye",
    file: "src/services/broker/End.ts",
    replace: "  if (isGraceful) {\n",
    by: "  if (isGraceful && b.now < 0) {\n"
  },
  {
    name: "will-without-its-delay",
    mistake: "the Will does not wait for its delay",
    file: "src/services/broker/End.ts",
    replace: "const delay = Math.min(c.willDelay!, c.expiryInterval)",
    by: "const delay = 0 * Math.min(c.willDelay!, c.expiryInterval)"
  },
  {
    name: "will-forgotten-in-a-crash",
    mistake: "the Wills of those who were connected are not published after a crash",
    file: "src/services/broker/Recover.ts",
    replace: `      if (delay === 0) {
        publishWill(b, clientId)
        continue
      }`,
    by: "      if (delay === 0) continue"
  },
  {
    name: "dup-on-first-sending",
    mistake: "DUP is set on a QoS 2 message that was never sent before",
    file: "src/services/broker/Deliver.ts",
    replace: "const dup = Outbound.isResend(subscriber.session.outbound, delivery)",
    by: "const dup = Outbound.isResend(subscriber.session.outbound, delivery) || qos === 2"
  },
  {
    name: "delivery-of-the-expired",
    mistake: "a message is sent although it has expired in the queue",
    file: "src/domain/session/Outbound.ts",
    replace: "  delivery.message.expiresAt <= now && delivery.sequence >= o.attempted",
    by: "  delivery.message.expiresAt <= now && delivery.sequence < 0"
  },
  {
    name: "packet-identifier-in-use",
    mistake: "a packet identifier is used again while its message is in flight",
    file: "src/domain/session/Outbound.ts",
    replace: "(sequence % identifiers) + 1",
    by: "(sequence % 3) + 1"
  },
  {
    name: "receive-maximum-ignored",
    mistake: "more messages are in flight than the client's Receive Maximum allows",
    file: "src/domain/session/Outbound.ts",
    replace: "o.inFlight < o.window &&",
    by: ""
  },
  {
    name: "nothing-resent",
    mistake: "what was in flight when the connection ended is not sent again",
    file: "src/domain/session/Outbound.ts",
    replace: "  o.next = o.head\n  o.inFlight = 0",
    by: "  o.inFlight = 0"
  },
  {
    name: "packet-identifier-not-journaled",
    mistake: "that a QoS 2 message was received is kept in memory alone",
    file: "src/services/broker/Publish.ts",
    replace: "  if (!durable) {\n    session.received.add(packetId)",
    by: "  if (durable || !durable) {\n    session.received.add(packetId)"
  },
  {
    name: "pubrel-before-journal",
    mistake: "PUBREL is sent before it is on the disk that PUBREC has come",
    file: "src/services/broker/Acknowledge.ts",
    replace: `  b.partitions.change([{ partition: b.partitions.of(clientId), record }], () => {
    pubRel(b, c, packetId, ReasonCode.Success)
  })`,
    by: `  b.partitions.change([{ partition: b.partitions.of(clientId), record }], () => {})
  pubRel(b, c, packetId, ReasonCode.Success)`
  },
  {
    name: "acknowledgements-out-of-order",
    mistake: "an acknowledgement overtakes the one before it",
    file: "src/services/broker/Publish.ts",
    replace: "if (c.owed === undefined && ack.waitingFor === 0) {",
    by: "if (ack.waitingFor === 0) {"
  },
  {
    name: "two-connections",
    mistake: "an older connection of the same client goes on when a new one is confirmed",
    file: "src/services/broker/Connect.ts",
    replace: "  if (older === undefined) return\n",
    by: "  if (older === undefined || b.now > 0) return\n"
  },
  {
    name: "session-outlives-its-expiry",
    mistake: "a session whose time is over is continued",
    file: "src/domain/session/Session.ts",
    replace: "expiryInterval === neverExpires ? Number.MAX_SAFE_INTEGER",
    by: "expiryInterval > 0 ? Number.MAX_SAFE_INTEGER"
  },
  {
    name: "unsubscribe-forgotten-in-a-crash",
    mistake: "an UNSUBSCRIBE is answered without being written down",
    file: "src/services/broker/Subscribe.ts",
    replace: "if (!durable || removed.length === 0) {",
    by: "if (durable || !durable || removed.length === 0) {"
  },
  {
    name: "suback-before-journal",
    mistake: "a SUBSCRIBE is answered before it is on the disk",
    file: "src/services/broker/Subscribe.ts",
    replace: "b.partitions.change([{ partition: b.partitions.of(session.clientId), record }], acknowledge)\n  } else {",
    by: "b.partitions.change([{ partition: b.partitions.of(session.clientId), record }], () => {})\n    acknowledge()\n  } else {"
  },
  {
    name: "retained-resurrected",
    mistake: "a retained message that was cleared stays in its znode",
    file: "src/services/Retained.ts",
    replace: "        return Znode.remove(path)\n",
    by: "        return undefined\n"
  },
  {
    name: "clock-that-stands-still",
    mistake: "the broker's time stands still until the wall clock, which was set back, has caught up",
    file: "src/services/SharedClock.ts",
    replace: `        beginning = Math.max(beginning, clock.currentTimeMillisUnsafe() - sinceStart)
        return beginning + sinceStart`,
    by: `        beginning = Math.max(beginning, clock.currentTimeMillisUnsafe() + 0 * sinceStart)
        return beginning`
  },
  {
    name: "another-packet's-bytes",
    mistake: "a message that had to wait is forwarded with the bytes of a later packet",
    file: "src/services/broker/Encodings.ts",
    replace: "    if (!isLast) return\n",
    by: ""
  },
  {
    name: "acknowledgements-wait-for-room",
    mistake: "acknowledgements are not read while a PUBLISH before them waits for the room that they would make",
    file: "src/services/broker/Receive.ts",
    replace: '_tag === "PubAck" || _tag === "PubRec" || _tag === "PubRel" || _tag === "PubComp" || _tag === "PingReq"',
    by: '_tag === "PingReq"'
  }
]
