/**
 * What spans the queue and the history: how jobs stand, who holds them, and how they end. Each of these is one step of the store, and no process's clock
 * has a say in any of them.
 */
import type { LiveState } from '../jobs/live.ts'
import type { FinalSnapshot, HistoryEntry, LeaseRecord, VideoProgress } from '../jobs/record.ts'

/** Where a job is found: in which queue of BullMQ, and among whose jobs. */
export interface JobPlace {
  readonly job_id: string
  readonly tenant: string
  /** BullMQ's name of the model's queue. */
  readonly queue: string
}

/** What changes about a job. */
export interface JobState extends Omit<HistoryEntry, 'record'> {
  /** Null once the outcome stands, and where BullMQ has no such job. */
  readonly live: LiveState | null
}

/** Who has to hold the lock for an outcome to be taken; null for nobody. Without a fence, whoever comes first ends the job. */
export interface Fence {
  readonly holder: string | null
}

export type Decided =
  /** The outcome, which is another one where somebody came first; and who holds BullMQ's lock at this moment. */
  | { readonly kind: 'ended'; readonly final: FinalSnapshot; readonly mine: boolean; readonly holder: string | null }
  /** The fence did not hold. */
  | { readonly kind: 'refused' }
  /** There is no such job. */
  | { readonly kind: 'gone' }

export interface Take {
  readonly place: JobPlace
  readonly lease: LeaseRecord
  readonly progress: VideoProgress
  /** BullMQ's priority of the job, for the fair order of tenants; 0 for one that was put at the head. */
  readonly priority: number
  /** Milliseconds that the lock lives from now on. */
  readonly leaseDuration: number
}

export interface Beat {
  readonly job_id: string
  readonly token: string
  /** Without it what was said before stays; that the holder has spoken is written either way. */
  readonly progress?: VideoProgress | undefined
}

export interface JobStates {
  /** The moment by the store's clock, milliseconds since 1970. */
  now(): Promise<number>
  /** How jobs stand, in the order asked; null for those that are gone. One round trip. */
  read(places: readonly JobPlace[]): Promise<readonly (JobState | null)[]>
  /** Who holds BullMQ's lock of a job, ended or not. */
  holder(place: JobPlace): Promise<string | null>
  /**
   * Ends a job, unless it has ended: sets the outcome, dates it, moves the job from the open to the ended ones, and puts it into the outbox of endings
   * and among the changed ones. What stands in BullMQ follows later.
   */
  decide(place: JobPlace, final: FinalSnapshot, fence?: Fence): Promise<Decided>
  /**
   * Makes a claim a lease: writes down who holds the job, if its lock is still the claim's and it has not ended.
   * @returns whether it is
   */
  take(take: Take): Promise<boolean>
  /**
   * Extends locks and writes what their holders said, of those whose lock is still theirs.
   * @param milliseconds that the locks live from now on
   * @returns of each whether it is
   */
  beat(queue: string, beats: readonly Beat[], milliseconds: number): Promise<readonly boolean[]>
  /** The outbox: ids of jobs that ended at least so many milliseconds ago and of which nobody has said that everything followed, oldest first. */
  unfollowed(milliseconds: number, limit: number): Promise<readonly string[]>
  /** Everything that follows the end of the job has been done. */
  followed(jobId: string): Promise<void>
}

/** What a queue knows of jobs whose history lies elsewhere. */
export interface LiveJobs extends Pick<JobStates, 'holder' | 'beat'> {
  /** In the order asked; null where BullMQ has no such job. */
  read(places: readonly JobPlace[]): Promise<readonly (LiveState | null)[]>
  /** Tells listeners that the job has changed. */
  announce(place: JobPlace): Promise<void>
}

/** The event in BullMQ's stream of events that tells of a change which BullMQ has no event for. It carries `jobIds`, a JSON array. */
export const CHANGED = 'kinora-changed'
