/** Every change of a job's state: a file each, over one table. */
import { createAccept } from './accept.ts'
import { createCancel } from './cancel.ts'
import { createClaim } from './claim.ts'
import { createComplete } from './complete.ts'
import { createFail } from './fail.ts'
import { createHeartbeat } from './heartbeat.ts'
import type { TransitionParts } from './parts.ts'
import { createRelease } from './release.ts'
import { createRemove } from './remove.ts'
import { createReport } from './report.ts'
import { createStalled } from './stalled.ts'

export { createLine } from './line.ts'
export { createRefuse } from './refuse.ts'

export function createTransitions(parts: TransitionParts) {
  const cancel = createCancel(parts)
  return {
    accept: createAccept(parts),
    claim: createClaim(parts),
    heartbeat: createHeartbeat(parts),
    complete: createComplete(parts),
    fail: createFail(parts),
    release: createRelease(parts),
    stalled: createStalled(parts),
    report: createReport(parts),
    cancel,
    remove: createRemove(parts, cancel),
  }
}
