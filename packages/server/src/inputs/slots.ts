/** Who may fetch now: so many at a time in this process, fewer for one tenant, and two for one tenant and host. */
import { createShare } from './share.ts'

export interface SlotLimits {
  /** Fetches at a time in this process. */
  readonly total: number
  /** Of one tenant from one host. */
  readonly perHost: number
}

export interface Slots {
  /**
   * Waits for a slot. Whoever has the fewest is served first.
   * @param host where the picture is; undefined for our own storage, which needs no protection
   * @returns what gives the slot back
   * @throws the signal's reason
   */
  take(tenant: string, host: string | undefined, signal: AbortSignal): Promise<() => void>
}

interface Waiter {
  readonly tenant: string
  readonly host: string | undefined
  readonly start: (release: () => void) => void
}

export function createSlots({ total, perHost }: SlotLimits): Slots {
  const share = createShare({ total })
  const hosts = new Map<string, number>()
  const waiting = new Set<Waiter>()

  function tryTake({ tenant, host }: Waiter): (() => void) | null {
    const key = host === undefined ? undefined : JSON.stringify([tenant, host])
    const fromHost = key === undefined ? 0 : (hosts.get(key) ?? 0)
    if (fromHost >= perHost) return null
    const give = share.take(tenant)
    if (!give) return null
    if (key !== undefined) hosts.set(key, fromHost + 1)
    let given = false
    return () => {
      if (given) return
      given = true
      give()
      if (key !== undefined) {
        const left = (hosts.get(key) ?? 1) - 1
        if (left > 0) hosts.set(key, left)
        else hosts.delete(key)
      }
      serve()
    }
  }

  /** A set keeps the order of arrival, and sorting keeps it among those who have as many. */
  function serve(): void {
    for (;;) {
      let served = false
      for (const waiter of [...waiting].toSorted((a, b) => share.of(a.tenant) - share.of(b.tenant))) {
        const release = tryTake(waiter)
        if (!release) continue
        waiting.delete(waiter)
        waiter.start(release)
        served = true
        break
      }
      if (!served) return
    }
  }

  return {
    take: (tenant, host, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason)
        const leave = (): void => {
          waiting.delete(waiter)
          reject(signal.reason)
        }
        const waiter: Waiter = {
          tenant,
          host,
          start(release) {
            signal.removeEventListener('abort', leave)
            resolve(release)
          },
        }
        signal.addEventListener('abort', leave, { once: true })
        waiting.add(waiter)
        serve()
      }),
  }
}
