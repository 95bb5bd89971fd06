/**
 * The members of a Shared Subscription, and which of them gets the next message (MQTT 5.0, section 4.8.2).
 *
 * A message goes to one member. The specification leaves the choice to the server; what must then happen with the message
 * [MQTT-4.8.2-3] to [MQTT-4.8.2-6] is the session's business.
 */
import { Schema } from "effect"
import { fnv1a } from "../Hash.ts"

/**
 * How a group chooses: any member with equal chance; one after the other; the same one until it goes; the same one for
 * all messages of a publisher.
 */
export const SharedStrategy = Schema.Literals(["random", "round-robin", "sticky", "hash-by-publisher"])
export type SharedStrategy = typeof SharedStrategy.Type

/** A group's members in the order in which they joined, and where its choices stand. Changed in place. */
export interface SharedGroup<M> {
  readonly members: Array<M>
  /** Where round-robin goes on: an index into `members`, or their number. */
  next: number
  /** The member that sticky stays with. */
  chosen: M | undefined
}

/** What a choice may depend on. */
export interface SharedChoice {
  /** The client id of the publisher. */
  readonly publisher: string
  /** A random number, at least 0 and less than 1. */
  readonly random: number
}

/** A group without members. */
export const makeSharedGroup = <M>(): SharedGroup<M> => ({ members: [], next: 0, chosen: undefined })

/** Adds a member at the end, and returns whether it is new. */
export const addMember = <M>(group: SharedGroup<M>, member: M): boolean => {
  if (group.members.includes(member)) return false
  group.members.push(member)
  return true
}

/** Removes a member, and returns whether it was there. The turns of the others stay as they are. */
export const removeMember = <M>(group: SharedGroup<M>, member: M): boolean => {
  const index = group.members.indexOf(member)
  if (index < 0) return false
  group.members.splice(index, 1)
  if (index < group.next) group.next -= 1
  if (group.chosen === member) group.chosen = undefined
  return true
}

/**
 * Chooses the member that gets the next message: one that `isAvailable`, or any when none is, or nobody when the group is
 * empty. Which one depends only on the arguments and on earlier choices of this group.
 */
export const chooseMember = <M>(
  group: SharedGroup<M>,
  strategy: SharedStrategy,
  choice: SharedChoice,
  isAvailable: (member: M) => boolean
): M | undefined => {
  const { members } = group
  switch (strategy) {
    case "random":
      return randomMember(members, choice.random, isAvailable)
    case "round-robin": {
      const index = availableFrom(members, group.next, isAvailable)
      group.next = index + 1
      return members[index]
    }
    case "sticky":
      if (group.chosen === undefined || !isAvailable(group.chosen)) {
        const other = randomMember(members, choice.random, isAvailable)
        if (group.chosen === undefined || (other !== undefined && isAvailable(other))) group.chosen = other
      }
      return group.chosen
    case "hash-by-publisher":
      return members[availableFrom(members, fnv1a(choice.publisher) % members.length, isAvailable)]
  }
}

/** The index of the first available member from `start` on, round to the beginning; `start` itself when there is none. */
const availableFrom = <M>(members: ReadonlyArray<M>, start: number, isAvailable: (member: M) => boolean): number => {
  for (let step = 0; step < members.length; step++) {
    const index = (start + step) % members.length
    if (isAvailable(members[index]!)) return index
  }
  return members.length === 0 ? 0 : start % members.length
}

const randomMember = <M>(
  members: ReadonlyArray<M>,
  random: number,
  isAvailable: (member: M) => boolean
): M | undefined => {
  const place = random * members.length
  const first = members[Math.floor(place)]
  if (first === undefined || isAvailable(first)) return first
  const available = members.filter(isAvailable)
  // The fraction of the place says nothing about the member it fell on, so it is a random number as good as the first.
  return available.length === 0 ? first : available[Math.floor((place - Math.floor(place)) * available.length)]
}
