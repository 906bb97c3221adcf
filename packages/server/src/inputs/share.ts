/** Room for so many at a time, shared between tenants without knowing how many of them there will be. */

export interface Share {
  /** @returns what gives the room back; null where this tenant has his share */
  take(tenant: string): (() => void) | null
  /** How many this tenant has. */
  of(tenant: string): number
}

/**
 * A tenant may have as many as are still free, and never more than `each`. One tenant alone so fills half of the room, two of them a third each: there
 * is always room for the next one, whatever the others do (dynamic thresholds, Choudhury and Hahne 1998).
 */
export function createShare({ total, each = total }: { total: number; each?: number }): Share {
  const held = new Map<string, number>()
  let used = 0

  return {
    of: (tenant) => held.get(tenant) ?? 0,
    take(tenant) {
      const mine = held.get(tenant) ?? 0
      if (mine >= Math.min(each, total - used)) return null
      held.set(tenant, mine + 1)
      used++
      let given = false
      return () => {
        if (given) return
        given = true
        used--
        const left = (held.get(tenant) ?? 1) - 1
        if (left > 0) held.set(tenant, left)
        else held.delete(tenant)
      }
    },
  }
}
