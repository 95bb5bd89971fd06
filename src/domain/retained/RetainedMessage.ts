/** A retained message as its znode holds it (section 3.3.1.3). */
import { Result, Schema } from "effect"
import { SchemaBinary } from "effect/encoding"
import { Message, size } from "../Message.ts"

const Bytes = SchemaBinary.toCodec(Message)

/** The content of a retained message's znode. */
export const encode: (message: Message) => Uint8Array = Schema.encodeSync(Bytes)

/** The message that a znode holds, or why it cannot be read. */
export const decode = (data: Uint8Array): Result.Result<Message, string> =>
  Result.mapError(Schema.decodeUnknownResult(Bytes)(data), (error) => error.message)

/** The credit that a retained message takes. */
export const cost = (message: Message, znodeCost: number): number => znodeCost + size(message)
