/** Which addresses a server elsewhere can reach. */

/**
 * Whether a URL can be reached from outside: http or https, and neither a loopback, private or link-local address nor a name that only a local
 * network knows (`localhost`, `backend`, `nas.local`).
 */
export function isPublicUrl(url: string): boolean {
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch {
    return false
  }
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') return false
  const host = parsed.hostname.replace(/\.$/, '')
  if (host.startsWith('[')) return isPublicV6(host.slice(1, -1))
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return isPublicV4(host.split('.').map(Number))
  return host.includes('.') && !/\.(localhost|local|internal|lan|home\.arpa|test|invalid)$/.test(host)
}

function isPublicV4([a = 0, b = 0]: number[]): boolean {
  if (a === 0 || a === 10 || a === 127 || a >= 224) return false
  if (a === 100 && b >= 64 && b < 128) return false
  if (a === 169 && b === 254) return false
  if (a === 172 && b >= 16 && b < 32) return false
  return !(a === 192 && b === 168)
}

function isPublicV6(address: string): boolean {
  // Global unicast is 2000::/3; an IPv4 address written as ::ffff:… is never worth the guess.
  return /^[23]/.test(address)
}

/** The route of the component's own webhook, under the prefix it is mounted at. */
export const WEBHOOK_ROUTE = '/video-complete'

/** Where the server shall send the result of a job, or why it cannot. */
export type WebhookAddress = { url: string } | { reason: string }

/**
 * The webhook's address: the app's own where it gives one, else the component's route where that is mounted on a public site.
 *
 * A component that is not mounted sees the deployment's bare site URL, so a URL without a path means that nobody would answer.
 */
export function webhookAddress(input: {
  readonly explicit: string | undefined
  readonly siteUrl: string | undefined
  readonly hasSecret: boolean
  readonly jobId: string
}): WebhookAddress {
  const { explicit, siteUrl, hasSecret, jobId } = input
  if (!hasSecret) return { reason: 'WEBHOOK_SECRET is not set' }
  if (explicit !== undefined) return { url: withJob(explicit, jobId) }
  if (siteUrl === undefined) return { reason: 'this deployment has no site URL' }
  if (!isPublicUrl(siteUrl)) return { reason: `the site URL ${siteUrl} is not public` }
  if (new URL(siteUrl).pathname === '/') {
    return { reason: 'the component is mounted without an httpPrefix, and no webhookUrl was given' }
  }
  return { url: withJob(siteUrl.replace(/\/+$/, '') + WEBHOOK_ROUTE, jobId) }
}

/** The job goes along, so that a message about a job that was removed can be told from one that came too early. */
function withJob(address: string, jobId: string): string {
  const url = new URL(address)
  url.searchParams.set('job', jobId)
  return url.href
}
