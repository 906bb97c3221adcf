/** What the transitions work with. */
import type { Logger } from 'pino'
import type { Inputs, UploadBook } from '../inputs/index.ts'
import type { LeaseBook } from '../leases/lease-book.ts'
import type { Reports } from '../leases/reports.ts'
import type { ModelAbilities } from '../models/abilities.ts'
import type { AllowedBook, Rates } from '../limits/index.ts'
import type { Queues } from '../queues.ts'
import type { Reader } from '../reading/reader.ts'
import type { Storage } from '../storage/index.ts'
import type { History } from '../stores/history.ts'
import type { JobStates } from '../stores/states.ts'
import type { End } from './end.ts'
import type { Follow } from './follow.ts'
import type { ReadyJob } from './line.ts'

export interface TransitionParts {
  readonly queues: Queues
  readonly history: History
  readonly states: JobStates
  readonly storage: Storage
  readonly reader: Reader
  readonly inputs: Inputs<ReadyJob>
  readonly uploads: UploadBook
  /** What each model can do. */
  readonly abilities: ModelAbilities
  readonly allowed: AllowedBook
  readonly rates: Rates
  /** The one way to end a job. */
  readonly end: End
  readonly follow: Follow
  /** Leases by their id. */
  readonly leases: LeaseBook
  /** What their holders say about the videos. */
  readonly reports: Reports
  readonly logger: Logger
  /** Milliseconds since 1970. */
  readonly clock: () => number
  /** Milliseconds that a lease lives without a heartbeat. */
  readonly leaseDuration: number
}
