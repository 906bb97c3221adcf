/** The paths of the wire, relative to where the server is mounted. Each stands here once: clients call it, the server routes by its pattern. */

/** The names of a pattern's ids: `'jobId'` of `/api/v1/jobs/:jobId`, `never` where it has none. */
export type IdOf<Pattern extends string> = Pattern extends `${string}:${infer Name}/${string}`
  ? Name
  : Pattern extends `${string}:${infer Name}`
    ? Name
    : never

/** Writes a path: `paths.job('a/b')` is `/api/v1/jobs/a%2Fb`. */
export interface Path<Pattern extends string = string> {
  (...id: [IdOf<Pattern>] extends [never] ? [] : [id: string]): string
  /** As routers read it: `/api/v1/jobs/:jobId`. */
  readonly pattern: Pattern
}

function path<Pattern extends string>(pattern: Pattern): Path<Pattern> {
  const write = (...[id = '']: readonly string[]): string => pattern.replace(/:\w+/, () => encodeURIComponent(id))
  return Object.assign(write, { pattern })
}

export const paths = {
  health: path('/health'),
  openapi: path('/openapi.json'),
  generate: path('/api/v1/generate'),
  models: path('/api/v1/models'),
  jobs: path('/api/v1/jobs'),
  job: path('/api/v1/jobs/:jobId'),
  cancel: path('/api/v1/jobs/:jobId/cancel'),
  copy: path('/api/v1/jobs/:jobId/copy'),
  video: path('/api/v1/jobs/:jobId/video'),
  jobEvents: path('/api/v1/jobs/:jobId/events'),
  events: path('/api/v1/events'),
  uploads: path('/api/v1/uploads'),
  presignUpload: path('/api/v1/presign/upload'),
  presignDownload: path('/api/v1/presign/download/:jobId'),
  webhookSecret: path('/api/v1/webhook-secret'),
  webhookComplete: path('/webhook/complete'),
  leases: path('/api/v1/leases'),
  heartbeat: path('/api/v1/leases/:leaseId/heartbeat'),
  complete: path('/api/v1/leases/:leaseId/complete'),
  fail: path('/api/v1/leases/:leaseId/fail'),
  release: path('/api/v1/leases/:leaseId/release'),
} as const

/** Header names of the wire that are Kinora's own or easily misspelt. */
export const HEADERS = {
  requestId: 'x-request-id',
  idempotencyKey: 'idempotency-key',
  lastEventId: 'last-event-id',
} as const
