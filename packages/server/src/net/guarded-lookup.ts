/** DNS for strangers' URLs: every address a name has is checked at the moment of connecting, so that a name cannot change its mind in between. */
import type { LookupAddress, LookupOptions } from 'node:dns'
import { lookup as systemLookup } from 'node:dns/promises'
import type { LookupFunction } from 'node:net'
import { callbackify } from 'node:util'
import { FetchError } from './fetch-error.ts'

/** All addresses of a name, as `dns.promises.lookup(name, { all: true })`. */
export type Resolve = (hostname: string) => Promise<LookupAddress[]>

export const resolveWithSystem: Resolve = (hostname) => systemLookup(hostname, { all: true, verbatim: true })

/** A `lookup` for `net.connect` that refuses a name as soon as one of its addresses is not allowed. */
export function createGuardedLookup(isAllowed: (address: string) => boolean, resolve: Resolve): LookupFunction {
  async function find(hostname: string, options: LookupOptions): Promise<[LookupAddress, ...LookupAddress[]]> {
    const addresses = await resolve(hostname)
    if (!addresses.every(({ address }) => isAllowed(address))) throw forbidden(hostname)
    const [first, ...others] = ofFamily(addresses, options)
    if (!first) throw new FetchError('unknown_host', `The host ${hostname} has no address.`)
    return [first, ...others]
  }
  const findAll = callbackify(find)

  return (hostname, options, callback) => {
    findAll(hostname, options, (error, addresses) => {
      if (error) callback(error, [])
      else if (options.all) callback(null, addresses)
      else callback(null, addresses[0].address, addresses[0].family)
    })
  }
}

export function forbidden(hostname: string): FetchError {
  return new FetchError(
    'forbidden_address',
    `${hostname} is an address inside a private network, which this server does not fetch from. Use a public address (whoever runs the server can allow networks with ALLOW_PRIVATE_NETWORK).`,
  )
}

function ofFamily(addresses: LookupAddress[], options: LookupOptions): LookupAddress[] {
  if (options.family === 4 || options.family === 'IPv4') return addresses.filter(({ family }) => family === 4)
  if (options.family === 6 || options.family === 'IPv6') return addresses.filter(({ family }) => family === 6)
  return addresses
}
