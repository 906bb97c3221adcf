/** Where each thing of a job lies in the storage. */
import { createHash } from 'node:crypto'

/**
 * A picture of a job; 0 is the first. The first one's name is the original contract's, whatever the format: the object's content type tells it.
 */
export function inputKey(jobId: string, index = 0): string {
  return `inputs/${jobId}/${index === 0 ? 'input.jpg' : index}`
}

/** A picture that a tenant has put before a job names it. Every tenant has a name space of his own. */
export function uploadKey(tenant: string, uploadId: string): string {
  return `uploads/${tenantSegment(tenant)}/${uploadId}`
}

export function isUploadKey(key: string): boolean {
  return key.startsWith('uploads/')
}

/** The results of a job, once a lease's have been promoted. */
export function outputKeys(jobId: string): { readonly video: string; readonly poster: string } {
  return { video: `outputs/${jobId}/output.mp4`, poster: `outputs/${jobId}/poster.jpg` }
}

/** Where the holder of a lease puts results: of its own, so that a late worker overwrites nothing. */
export function leaseKeys(leaseId: string): { readonly video: string; readonly poster: string } {
  return { video: `leases/${leaseId}/output.mp4`, poster: `leases/${leaseId}/poster.jpg` }
}

/** A tenant's name as one segment of a key. A plain name stays readable; any other is hashed, and the two cannot meet. */
function tenantSegment(tenant: string): string {
  if (/^[A-Za-z0-9_-]{1,100}$/.test(tenant)) return `t_${tenant}`
  return `h_${createHash('sha256').update(tenant).digest('hex')}`
}
