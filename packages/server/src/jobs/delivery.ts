/** What of a delivery lies in BullMQ. */
export interface DeliveryData {
  readonly job_id: string
  readonly tenant: string
  readonly url: string
  /** Frozen at the first attempt, so that every attempt sends the same message. */
  readonly body?: string | undefined
}

export interface Kept {
  readonly removeOnComplete: { readonly age: number }
  readonly removeOnFail: { readonly age: number }
}

/**
 * Seconds that deliveries are kept at least. One of the same id is added again by whoever carries on an ending that a crash left half followed, and adding
 * twice is adding once only as long as the first is there.
 */
export const DELIVERIES_KEPT = 24 * 3600

/** BullMQ's options of a delivery. The delays are the worker's, in deliveries/schedule.ts. */
export function deliveryOptions(attempts: number, kept: Kept) {
  return { attempts, backoff: { type: 'custom' }, ...kept }
}

/** The queue of the deliveries of all models. */
export const DELIVERY_QUEUE = 'webhook-deliveries'
