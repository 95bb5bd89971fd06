/**
 * The Bank's book: how much may be stored in all, and who has spent how much of it. Credit is reckoned in bytes, with a
 * fixed part per record and znode on top.
 *
 * At every moment: capital = free + the unspent part of all leases + what is spent, and nothing is negative.
 */
import { Schema } from "effect"

const Credit = Schema.Natural

/** What one member has drawn from the free credit, and how much of that is spent on things stored. */
export const Lease = Schema.Struct({ drawn: Credit, spent: Credit })
export type Lease = typeof Lease.Type

/** The credit of the whole cluster: the content of the Bank's znode. */
export const Capital = Schema.Struct({ capital: Credit, free: Credit })
export type Capital = typeof Capital.Type

export const noLease: Lease = { drawn: 0, spent: 0 }

/** Credit that the lease can still be charged with. */
export const unspent = (lease: Lease): number => lease.drawn - lease.spent

/** Books the cost of something stored; below 0 it is the refund of something that is not stored any more. */
export const spend = (lease: Lease, amount: number): Lease => ({ drawn: lease.drawn, spent: lease.spent + amount })

/** Moves up to `amount` of free credit into a lease. */
export const draw = (capital: Capital, lease: Lease, amount: number): readonly [Capital, Lease] => {
  const moved = Math.min(amount, capital.free)
  return [
    { capital: capital.capital, free: capital.free - moved },
    { drawn: lease.drawn + moved, spent: lease.spent }
  ]
}

/** Moves up to `amount` of a lease's unspent credit back to the free credit. */
export const returnUnspent = (capital: Capital, lease: Lease, amount: number): readonly [Capital, Lease] => {
  const moved = Math.min(amount, unspent(lease))
  return [
    { capital: capital.capital, free: capital.free + moved },
    { drawn: lease.drawn - moved, spent: lease.spent }
  ]
}

/**
 * Changes the capital, as a new configuration asks for. It cannot fall below what leases hold: the part that is missing
 * stays until it has been returned.
 */
export const resize = (capital: Capital, wanted: number): Capital => {
  const leased = capital.capital - capital.free
  return { capital: Math.max(wanted, leased), free: Math.max(wanted - leased, 0) }
}
