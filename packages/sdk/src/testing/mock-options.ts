/** The options of `mockKinora`, and the faults it can be told to have. */
import type { Abilities, Job } from '@kinora/protocol'

export interface MockKinoraOptions {
  /** Where the pretended server is; the same as the client's `baseUrl`. Default `http://kinora.test`. */
  baseUrl?: string
  /** The one key that is accepted. Default: any. */
  apiKey?: string
  /** Known models, the default first. Default `ltx-video`, `camera`. */
  models?: readonly string[]
  /** What the models can do, by name, as `models()` tells; requests for what one is known not to do are refused. Default: what camera can do. */
  abilities?: Readonly<Record<string, Abilities>>
  /**
   * Milliseconds from one step of a job to the next: queued, fetching, generating (10, 50, 90 %), uploading, completed. `false` leaves every job queued
   * until the test moves it with `advance`, `update`, `complete` or `fail`. Default 5.
   */
  stepInterval?: number | false
  /** How a job ends that moves by itself. Default: completed. */
  outcome?: (job: Job) => 'completed' | { error_message: string; error_code?: string }
  /** What webhooks are signed with. */
  webhookSecret?: string
  /** What downloads give. Default: the first bytes of an mp4 file. */
  video?: Uint8Array<ArrayBuffer>
  /** Default: the present. */
  now?: () => Date
}

/** Something that goes wrong with the next requests. */
export interface Fault {
  /** Only requests whose path contains this text. Default: all. */
  path?: string
  /** Only this method. */
  method?: string
  /** How many requests. Default 1. */
  times?: number
  /**
   * - `answer`: an error answer instead of the work (default)
   * - `network`: the connection breaks before anything is done
   * - `lost`: the work is done, and the answer lost
   * - `hang`: no answer ever comes
   */
  kind?: 'answer' | 'network' | 'lost' | 'hang'
  /** Default 503. */
  status?: number
  code?: string
  error?: string
  /** Seconds, or a date. */
  retryAfter?: string | number
  /** Instead of JSON: a proxy's page. */
  page?: string
}
