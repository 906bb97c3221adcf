/** Names of keys: our own, and those of BullMQ that our scripts touch (tested with the version that package.json pins). */

/** @param prefix stands before every key */
export function historyKeys(prefix: string) {
  return {
    job: (jobId: string) => `${prefix}:job:${jobId}`,
    list: (tenant: string) => `${prefix}:jobs:${tenant}`,
    open: (tenant?: string) => (tenant === undefined ? `${prefix}:open` : `${prefix}:open:${tenant}`),
    ended: (tenant?: string) => (tenant === undefined ? `${prefix}:ended` : `${prefix}:ended:${tenant}`),
    /** Ended jobs whose delivery and clean-up are still to be done, by the moment of their end. */
    endings: `${prefix}:endings`,
    /** Open jobs that stand in the line of workers, and those that wait outside, where a tenant has a limit. */
    running: (tenant: string) => `${prefix}:running:${tenant}`,
    held: (tenant: string) => `${prefix}:held:${tenant}`,
    heldTenants: `${prefix}:held-tenants`,
    turns: (model: string) => `${prefix}:turns:${model}`,
    lease: (leaseId: string) => `${prefix}:lease:${leaseId}`,
    seen: `${prefix}:worker-seen`,
    abilities: `${prefix}:abilities`,
  }
}

/** BullMQ's. */
export const bullKeys = {
  job: (queue: string, jobId: string) => `bull:${queue}:${jobId}`,
  /** Holds the token, and lives as long as the lock. */
  lock: (queue: string, jobId: string) => `bull:${queue}:${jobId}:lock`,
  events: (queue: string) => `bull:${queue}:events`,
}
