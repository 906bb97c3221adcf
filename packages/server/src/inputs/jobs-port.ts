/** What the inputs know of jobs. They ask and tell by these, and know nothing of leases, deliveries or stores. */
import type { JobPicture } from '../jobs/picture.ts'
import type { InputError } from './input-error.ts'

/** A job whose pictures are brought in. */
export interface PicturedJob {
  readonly job_id: string
  readonly tenant: string
  readonly model: string
  /** Milliseconds since 1970. */
  readonly created_at: number
  readonly pictures: readonly JobPicture[]
}

/** @typeParam Job what the store keeps of a job, of which the inputs know a part */
export interface InputJobs<Job extends PicturedJob = PicturedJob> {
  /** The job, as long as it waits: null once it has ended, was canceled or is gone. */
  waiting(jobId: string): Promise<Job | null>
  /** Whether objects of the job are to be kept: not once it was canceled or is gone. */
  isKept(jobId: string): Promise<boolean>
  /**
   * Puts the job into the line of workers: its pictures are there. Repeating it changes nothing.
   * @param priority drawn when the job was accepted
   */
  line(job: Job, priority: number): Promise<void>
  /** Ends a job whose picture will not be had. */
  refuse(jobId: string, error: InputError): Promise<void>
}
