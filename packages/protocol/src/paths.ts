/** The paths of the wire, relative to where the server is mounted. Arguments are encoded. */

const id = encodeURIComponent

export const paths = {
  health: () => '/health',
  openapi: () => '/openapi.json',
  generate: () => '/api/v1/generate',
  models: () => '/api/v1/models',
  jobs: () => '/api/v1/jobs',
  job: (jobId: string) => `/api/v1/jobs/${id(jobId)}`,
  cancel: (jobId: string) => `/api/v1/jobs/${id(jobId)}/cancel`,
  video: (jobId: string) => `/api/v1/jobs/${id(jobId)}/video`,
  jobEvents: (jobId: string) => `/api/v1/jobs/${id(jobId)}/events`,
  events: () => '/api/v1/events',
  uploads: () => '/api/v1/uploads',
  presignUpload: () => '/api/v1/presign/upload',
  presignDownload: (jobId: string) => `/api/v1/presign/download/${id(jobId)}`,
  webhookSecret: () => '/api/v1/webhook-secret',
  webhookComplete: () => '/webhook/complete',
  leases: () => '/api/v1/leases',
  heartbeat: (leaseId: string) => `/api/v1/leases/${id(leaseId)}/heartbeat`,
  complete: (leaseId: string) => `/api/v1/leases/${id(leaseId)}/complete`,
  fail: (leaseId: string) => `/api/v1/leases/${id(leaseId)}/fail`,
  release: (leaseId: string) => `/api/v1/leases/${id(leaseId)}/release`,
} as const

/** Header names of the wire that are Kinora's own or easily misspelt. */
export const HEADERS = {
  requestId: 'x-request-id',
  idempotencyKey: 'idempotency-key',
  lastEventId: 'last-event-id',
} as const
