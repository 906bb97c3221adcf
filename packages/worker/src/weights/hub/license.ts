/** A model's licence, as its card tells it, and whether it has to be accepted before a download. */
import { HubError } from './hub-error.ts'

export interface License {
  /** The card's identifier: `apache-2.0`, `other`. */
  readonly id: string
  /** What the card calls it, where `id` is `other`. */
  readonly name?: string
  /** Where the text is: a URL, or a file of the repository. */
  readonly link?: string
}

/** Licences without conditions on use; everything else is shown and must be accepted. */
const PERMISSIVE = /^(apache-2\.0|mit|bsd(-.*)?|isc|cc0-1\.0|cc-by-4\.0|unlicense|zlib|afl-3\.0|ecl-2\.0|0bsd|wtfpl)$/

/** @param card the hub's `cardData` */
export function licenseOf(card: Partial<Record<string, unknown>>): License | null {
  const id: unknown = Array.isArray(card.license) ? card.license[0] : card.license
  if (typeof id !== 'string' || id === '') return null
  return {
    id,
    ...(typeof card.license_name === 'string' && { name: card.license_name }),
    ...(typeof card.license_link === 'string' && { link: card.license_link }),
  }
}

/** Whether somebody has to say yes to it first. */
export function needsAcceptance(license: License | null): license is License {
  return license !== null && !PERMISSIVE.test(license.id.toLowerCase())
}

/** One line for people: its name and where to read it. */
export function describeLicense(license: License | null, endpoint: string, repository: string): string {
  if (license === null) return `${repository} states no licence; see ${endpoint}/${repository}`
  const link = license.link ?? ''
  const place = /^https?:/.test(link) ? link : `${endpoint}/${repository}${link === '' ? '' : `/blob/main/${link}`}`
  return `${repository} is under the licence "${license.name ?? license.id}": ${place}`
}

/**
 * @param accepted the user says so now, or said so to the same licence before
 * @throws HubError `license_not_accepted`
 */
export function checkLicense(license: License | null, accepted: boolean, endpoint: string, repository: string): void {
  if (accepted || !needsAcceptance(license)) return
  const notice = describeLicense(license, endpoint, repository)
  throw new HubError(
    'license_not_accepted',
    `${notice}. Read it, and if you accept it, add --accept-license (or set ACCEPT_MODEL_LICENSE=true).`,
  )
}
