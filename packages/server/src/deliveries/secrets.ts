/** The secrets that webhooks are signed with. */
import { hkdfSync, timingSafeEqual, createHash } from 'node:crypto'
import { toWebhookSecret } from '@kinora/protocol'
import type { WebhookOptions, WebhookSecrets } from '../core.ts'

/** Every tenant's secret, and the one that the original contract sends along in single-key mode. */
export interface Secrets extends WebhookSecrets {
  /** The value of `X-Webhook-Secret`, where it is sent at all. */
  sentTo(tenant: string): string | undefined
}

/**
 * In single-key mode the only tenant's secret is the signing secret, or WEBHOOK_SECRET itself. Any other tenant's is derived from
 * WEBHOOK_SECRET by HKDF-SHA256 (RFC 5869), so that none of them can sign for another, nor work back to it.
 */
export function createSecrets({ secret, signingSecret, singleTenant }: WebhookOptions): Secrets {
  return {
    of(tenant) {
      if (tenant === singleTenant) return toWebhookSecret(signingSecret ?? secret)
      const bytes = hkdfSync('sha256', secret, 'kinora', `webhook secret of ${tenant}`, 32)
      return `whsec_${Buffer.from(bytes).toString('base64')}`
    },
    sentTo: (tenant) => (tenant === singleTenant ? secret : undefined),
    opensWebhookComplete(given) {
      return singleTenant !== undefined && timingSafeEqual(digest(given), digest(secret))
    },
  }
}

/** Equal lengths, whatever was given. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
