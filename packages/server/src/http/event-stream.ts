/** Server-sent events from snapshots: one event for each, comments as heartbeat, and nothing left over when the reader goes away. */
import { EVENT_STREAM, JOB_EVENT, STREAM_HEARTBEAT_SECONDS } from '@kinora/protocol'
import type { Logger } from 'pino'
import type { Snapshot } from '../core.ts'
import { joinSignals } from '../join-signals.ts'

/** Milliseconds after which a browser connects again. */
const RETRY = 2000

export interface EventStreamInput {
  /** Starts the snapshots, which end with the signal. */
  readonly snapshots: (signal: AbortSignal) => AsyncIterable<Snapshot>
  /** The request's and the server's: either ends the stream. */
  readonly signals: readonly AbortSignal[]
  readonly logger: Logger
  /** Seconds. */
  readonly heartbeat?: number
}

/** The answer that streams. Its reader sets the pace: while it does not read, no snapshot is taken and no heartbeat piles up. */
export function eventStream({
  snapshots,
  signals,
  logger,
  heartbeat = STREAM_HEARTBEAT_SECONDS,
}: EventStreamInput): Response {
  const gone = new AbortController()
  const joined = joinSignals([gone.signal, ...signals])
  const { signal } = joined
  const encoder = new TextEncoder()
  let reader: (() => void) | undefined
  let beating: NodeJS.Timeout | undefined

  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const send = (text: string): void => {
          if (!signal.aborted) controller.enqueue(encoder.encode(text))
        }
        const end = (): void => {
          clearInterval(beating)
          reader?.()
          gone.abort()
          joined.release()
          try {
            controller.close()
          } catch {
            // The reader has cancelled already.
          }
        }
        signal.addEventListener('abort', end, { once: true })
        if (signal.aborted) return end()

        // No blank line after it, nor after a comment: strict parsers (httpx-sse) make an empty event of either.
        send(`retry: ${RETRY}\n`)
        beating = setInterval(() => {
          if ((controller.desiredSize ?? 0) > 0) send(': still here\n')
        }, heartbeat * 1000)

        void (async () => {
          try {
            for await (const { revision, job } of snapshots(signal)) {
              // Also before waiting: nobody would end a wait that begins after the end.
              if (signal.aborted) break
              send(`event: ${JOB_EVENT}\nid: ${revision}\ndata: ${JSON.stringify(job)}\n\n`)
              if ((controller.desiredSize ?? 0) <= 0) await new Promise<void>((resolve) => (reader = resolve))
            }
          } catch (error) {
            // The client connects again by itself, and hears then what is wrong.
            if (!signal.aborted) logger.warn({ err: error }, 'a stream of events ended early')
          } finally {
            end()
          }
        })()
      },
      pull: () => reader?.(),
      cancel: () => gone.abort(),
    },
    new CountQueuingStrategy({ highWaterMark: 16 }),
  )

  return new Response(body, { headers: eventStreamHeaders() })
}

/** The headers of a stream's answer. */
export function eventStreamHeaders(): Record<string, string> {
  return {
    'content-type': EVENT_STREAM,
    // no-transform keeps compressing middleware and proxies from holding events back, the next one does so for nginx.
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
    // A host's etag middleware would read the stream to its end to hash it, unless there is a tag already.
    etag: `W/"${crypto.randomUUID()}"`,
  }
}
