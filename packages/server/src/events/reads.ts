/**
 * Reads jobs for all listeners of this process: one read after the other of each job, so that nobody is told an older snapshot after a newer one.
 * Different jobs are read together.
 */
import type { Reader, TenantSnapshot } from '../reading/reader.ts'
import { gather } from '../stores/gather.ts'

/** Jobs read in one step of the store. */
const TOGETHER = 100

export interface Reads {
  /**
   * Reads a job as it stands now or later, never as it stood before the call. Calls that come while it is being read share the next read.
   * @returns null for a job that is gone
   */
  readonly look: (jobId: string) => Promise<TenantSnapshot | null>
}

/** @param tell hears what was read, in the order of the reads of each job */
export function createReads(
  reader: Pick<Reader, 'snapshots'>,
  tell: (jobId: string, snapshot: TenantSnapshot | null) => void,
): Reads {
  /** Of jobs that are being read. */
  const turns = new Map<string, Turn>()
  const read = gather<string, TenantSnapshot | null>({
    one: async (jobId) => (await reader.snapshots([jobId]))[0] ?? null,
    many: reader.snapshots,
    atMost: TOGETHER,
  })

  async function readAndTell(jobId: string): Promise<TenantSnapshot | null> {
    const snapshot = await read(jobId)
    tell(jobId, snapshot)
    return snapshot
  }

  function begin(jobId: string): Promise<TenantSnapshot | null> {
    const turn: Turn = { running: readAndTell(jobId), next: undefined }
    turns.set(jobId, turn)
    const end = (): void => {
      if (turns.get(jobId) === turn && !turn.next) turns.delete(jobId)
    }
    turn.running.then(end, end)
    return turn.running
  }

  return {
    look(jobId) {
      const turn = turns.get(jobId)
      if (!turn) return begin(jobId)
      const again = (): Promise<TenantSnapshot | null> => begin(jobId)
      return (turn.next ??= turn.running.then(again, again))
    },
  }
}

interface Turn {
  readonly running: Promise<TenantSnapshot | null>
  next: Promise<TenantSnapshot | null> | undefined
}
