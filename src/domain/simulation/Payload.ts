/**
 * The payload of every message in a run says which message it is, so that a checker knows it wherever it turns up.
 */
import { fnv1a } from "../Hash.ts"

/** Which message it is. The two numbers of one publisher are never used again, whatever its sessions and connections. */
export interface MessageId {
  readonly publisher: string
  /** `m`: a PUBLISH, numbered in the order in which the client first sent them; `w`: the Will of a connection. */
  readonly kind: "m" | "w"
  /** The number of the message, or of the connection that the Will belongs to. */
  readonly number: number
}

/** How a message is called in traces and violations. */
export const nameOf = ({ publisher, kind, number }: MessageId): string => `${publisher}/${kind}${number}`

/** The payload of a message: its name and a checksum, filled up to so many bytes where that is more. */
export const encode = (id: MessageId, bytes: number): Uint8Array => {
  const name = nameOf(id)
  const head = `${name} ${fnv1a(name).toString(16)} `
  return Buffer.from(head.padEnd(bytes, "."))
}

/** Reads a payload. Undefined: it is not one of ours, or not as it was sent. */
export const decode = (payload: Uint8Array): MessageId | undefined => {
  const text = Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString("latin1")
  const found = /^(\S+)\/([mw])(\d+) ([0-9a-f]+) \.*$/.exec(text)
  if (found === null) return undefined
  const [, publisher, kind, number, checksum] = found
  const id: MessageId = { publisher: publisher!, kind: kind as "m" | "w", number: Number(number) }
  return fnv1a(nameOf(id)).toString(16) === checksum ? id : undefined
}
