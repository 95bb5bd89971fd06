/** Messages for tests. */
import type { Message } from "../../src/domain/Message.ts"
import { never } from "../../src/domain/Message.ts"

/** Whether all strings in a value are well-formed Unicode, as those of MQTT are. */
export const isWellFormed = (value: unknown): boolean => !/\\ud[89a-f]/i.test(JSON.stringify(value))

/** A QoS 1 message on "t" that never expires, unless said otherwise. */
export const messageOf = (payload: string, more: Partial<Message> = {}): Message => ({
  topic: "t",
  payload: new Uint8Array(Buffer.from(payload)),
  qos: 1,
  retain: false,
  expiresAt: never,
  publisher: "p",
  ...more
})
