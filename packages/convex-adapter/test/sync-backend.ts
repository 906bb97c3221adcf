/**
 * The part of a Convex deployment that a browser speaks to, on top of convex-test: it answers the real client's WebSocket, runs the queries that the
 * client watches, and sends what has changed in one transition. As in components, queries leave no journal.
 */
import { ConvexReactClient } from 'convex/react'
import { convexToJson, jsonToConvex, type Value } from 'convex/values'

/** Runs a query by its path, such as "videos:list". */
export type RunQuery = (path: string, args: Record<string, Value>) => Promise<unknown>

interface Watched {
  readonly path: string
  readonly args: Record<string, Value>
  /** The last value that was sent, as text. */
  sent?: string
}

type ClientMessage =
  | {
      type: 'ModifyQuerySet'
      newVersion: number
      modifications: (
        | { type: 'Add'; queryId: number; udfPath: string; args: Parameters<typeof jsonToConvex>[0][] }
        | { type: 'Remove'; queryId: number }
      )[]
    }
  | { type: 'Connect' | 'Authenticate' | 'Mutation' | 'Action' | 'Event' }

export function startSyncBackend(runQuery: RunQuery) {
  const watched = new Map<number, Watched>()
  let version = { querySet: 0, identity: 0, ts: 0 }
  let send: ((message: unknown) => void) | undefined
  let turn = Promise.resolve()

  /** Sends the values that are new, all at once: one state of the database after the other. */
  function transition(querySet?: number): Promise<void> {
    turn = afterwards(turn, querySet)
    return turn
  }

  async function afterwards(before: Promise<void>, querySet?: number): Promise<void> {
    await before
    const modifications: unknown[] = []
    for (const [queryId, query] of watched) {
      const value = convexToJson((await runQuery(query.path, query.args)) as Value)
      const text = JSON.stringify(value)
      if (text === query.sent) continue
      query.sent = text
      modifications.push({ type: 'QueryUpdated', queryId, value, logLines: [], journal: null })
    }
    const next = { querySet: querySet ?? version.querySet, identity: version.identity, ts: version.ts + 1 }
    send?.({
      type: 'Transition',
      startVersion: encodeVersion(version),
      endVersion: encodeVersion(next),
      modifications,
    })
    version = next
  }

  function onMessage(message: ClientMessage): void {
    if (message.type !== 'ModifyQuerySet') return
    for (const change of message.modifications) {
      if (change.type === 'Remove') watched.delete(change.queryId)
      else {
        const args = jsonToConvex(change.args[0] ?? {}) as Record<string, Value>
        watched.set(change.queryId, { path: change.udfPath.replace('.js', ''), args })
      }
    }
    void transition(message.newVersion)
  }

  class FakeSocket {
    onopen: (() => void) | null = null
    onmessage: ((event: { data: string }) => void) | null = null
    onclose: ((event: { code: number; reason: string }) => void) | null = null
    onerror: (() => void) | null = null
    readyState = 0

    constructor() {
      // A new connection begins anew: the client says again what it watches.
      version = { querySet: 0, identity: 0, ts: 0 }
      watched.clear()
      send = (message) => this.onmessage?.({ data: JSON.stringify(message) })
      queueMicrotask(() => {
        this.readyState = 1
        this.onopen?.()
      })
    }
    send(text: string): void {
      onMessage(JSON.parse(text))
    }
    close(): void {
      this.readyState = 3
      this.onclose?.({ code: 1000, reason: 'closed' })
    }
  }

  const client = new ConvexReactClient('https://happy-otter-123.convex.cloud', {
    // The members that the client uses.
    webSocketConstructor: FakeSocket as unknown as typeof WebSocket,
    unsavedChangesWarning: false,
  })
  return {
    client,
    /** What is watched now. */
    watched: () => [...watched.values()].map(({ path, args }) => ({ path, args })),
    /** Tells the client what has changed in the database. */
    changed: () => transition(),
    close: () => client.close(),
  }
}

/** Times are 64-bit integers, little-endian, in base64. */
function encodeVersion({ ts, ...rest }: { querySet: number; identity: number; ts: number }) {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(ts), true)
  return { ...rest, ts: btoa(String.fromCharCode(...bytes)) }
}
