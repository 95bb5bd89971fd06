/**
 * What a delivery is a copy of, and by which subscriptions a session may get it: the questions that several promises
 * ask of an account.
 */
import type { QoS } from "../packet/Packet.ts"
import type { Account, Connection, Delivery, Publication, Sending, Session, Subscription } from "./Account.ts"

/** A message as it was given to the broker: by PUBLISH, or as a Will. */
export interface Source {
  readonly topic: string
  readonly qos: QoS
  readonly retain: boolean
  readonly client: string
  /** When the broker had it at the earliest. */
  readonly from: number
  readonly publication: Publication | undefined
}

/** When the broker wrote a delivery, as far as is known: not later than this. */
export const writtenBy = ({ writtenAt, at }: Delivery): number => writtenAt ?? at

/** Whether the broker may have read a sending by then. */
export const mayBeTaken = ({ sent }: Sending, { isOmniscient }: Account, by = Infinity): boolean =>
  isOmniscient ? sent.takenAt !== undefined && sent.takenAt <= by : sent.at <= by

/** When the broker had a message at the earliest; Infinity: never. */
export const takenFrom = (account: Account, { sendings }: Publication): number => {
  let from = Infinity
  for (const { sent } of sendings) from = Math.min(from, account.isOmniscient ? (sent.takenAt ?? Infinity) : sent.at)
  return from
}

/**
 * How many messages a publication may be to the broker by then: at QoS 2 one an exchange, else one a sending
 * (sections 4.3.2 and 4.3.3).
 */
export const messagesOf = (account: Account, { qos, sendings }: Publication, by = Infinity): number => {
  const taken = sendings.filter((sending) => mayBeTaken(sending, account, by))
  return qos === 2 ? new Set(taken.map(({ exchange }) => exchange)).size : taken.length
}

/** What a delivery is a copy of. Undefined: nobody published it, or its payload does not tell. */
export const sourceOf = (account: Account, { publication, name }: Delivery): Source | undefined => {
  if (publication !== undefined) {
    const { topic, qos, retain, client } = publication
    if (topic === undefined) return undefined
    return { topic, qos, retain, client, from: takenFrom(account, publication), publication }
  }
  const connection: Connection | undefined = name === undefined ? undefined : account.wills.get(name)
  if (connection === undefined) return undefined
  const { topic, qos, retain } = connection.connect!.packet.will!
  return { topic, qos, retain, client: connection.client, from: connection.connect!.at, publication: undefined }
}

/** Whether a subscription may have held at some moment of this time. */
export const mayHold = ({ sentAt, endsBy }: Subscription, from: number, to: number): boolean =>
  sentAt <= to && endsBy >= from

/** Whether a subscription certainly held all this time. */
export const holds = ({ acknowledgedAt, endsFrom }: Subscription, from: number, to: number): boolean =>
  acknowledgedAt !== undefined && acknowledgedAt <= from && endsFrom >= to

/** The QoS that a subscription was granted, or asked for where the answer is not known. */
export const grantedQoS = ({ reasonCode, options }: Subscription): QoS => (reasonCode ?? options.qos) as QoS

/** The subscriptions by which a session may have got a copy of a message that was written by then. */
export const entitling = (account: Account, session: Session, source: Source, by: number): Array<Subscription> =>
  account.matching(session, source.topic).filter((subscription) => mayHold(subscription, source.from, by))

/**
 * How many SUBSCRIBEs by then may have brought the retained message of this topic (section 3.3.1.3). A shared
 * subscription brings none (section 4.8.2).
 */
export const retainedReads = (account: Account, session: Session, topic: string, by: number): number =>
  account
    .matching(session, topic)
    .filter(({ group, options, sentAt }) => group === undefined && options.retainHandling !== 2 && sentAt <= by).length

/** Whether a subscription's live messages keep their RETAIN flag, so that they look like a retained message. */
export const keepsRetain = ({ options }: Subscription): boolean => options.retainAsPublished
