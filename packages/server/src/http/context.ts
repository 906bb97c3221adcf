/** What a request carries through Kinora's own routes. One variable with one name, so that a host's variables stay the host's. */
import type { Context } from 'hono'
import type { Logger } from 'pino'

export interface RequestState {
  readonly requestId: string
  /** Knows the request's id. */
  readonly logger: Logger
  tenant?: string
  /** Of a job that the request has made. */
  jobId?: string
}

export interface KinoraEnv {
  Variables: { kinora: RequestState }
}

export type KinoraContext = Context<KinoraEnv>
