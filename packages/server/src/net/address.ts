/** Which addresses on the network a stranger's URL may lead to. */
import ipaddr from 'ipaddr.js'

/**
 * Networks beside the public internet that are allowed: a CIDR such as `10.0.0.0/8`, `loopback`, or `private`: everything a server can be
 * reached at (loopback, RFC 1918, carrier-grade NAT, unique local), but never link-local addresses, where clouds keep their metadata services.
 */
export type AllowedNetwork = 'loopback' | 'private' | (string & {})

type Address = ipaddr.IPv4 | ipaddr.IPv6

/** Well-known prefix of NAT64 (RFC 6052): the last 32 bits are the IPv4 address that is really reached. */
const NAT64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96')

const PRIVATE_RANGES = new Set(['loopback', 'private', 'carrierGradeNat', 'uniqueLocal'])

/** Addresses of metadata services that lie in ranges which `private` would allow (AWS over IPv6, Alibaba, Oracle). */
const METADATA = new Set(['fd00:ec2::254', 'fd20:ce::254', '100.100.100.200', '192.0.0.192'])

/**
 * Makes the check for one set of allowed networks.
 * @throws TypeError when a network is neither a word it knows nor a CIDR
 */
export function createAddressCheck(allowed: readonly AllowedNetwork[] = []): (address: string) => boolean {
  const ranges = new Set<string>()
  const networks: [Address, number][] = []
  for (const network of allowed) {
    if (network === 'loopback') ranges.add('loopback')
    else if (network === 'private') for (const range of PRIVATE_RANGES) ranges.add(range)
    else networks.push(parseNetwork(network))
  }

  return (text) => {
    if (!ipaddr.isValid(text)) return false
    const address = reached(ipaddr.parse(text))
    if (networks.some((network) => inNetwork(address, network))) return true
    if (METADATA.has(address.toString())) return false
    const range = address.range()
    return range === 'unicast' ? isGlobal(address) : ranges.has(range)
  }
}

/** The address that a packet ends up at: IPv4 inside IPv6 counts as what it carries. */
function reached(address: Address): Address {
  if (!(address instanceof ipaddr.IPv6)) return address
  if (address.isIPv4MappedAddress()) return address.toIPv4Address()
  if (address.match(NAT64)) return ipaddr.fromByteArray(address.toByteArray().slice(12))
  return address
}

/** The part of IPv6 that is routed on the internet. Beyond it lie leftovers such as `::7f00:1`, an old way to write 127.0.0.1. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3')

function isGlobal(address: Address): boolean {
  return address instanceof ipaddr.IPv6 ? address.match(GLOBAL_UNICAST) : true
}

function inNetwork(address: Address, [network, bits]: [Address, number]): boolean {
  return address.kind() === network.kind() && address.match(network, bits)
}

function parseNetwork(text: string): [Address, number] {
  try {
    return text.includes('/') ? ipaddr.parseCIDR(text) : parseSingle(text)
  } catch (cause) {
    throw new TypeError(`"${text}" is not a network: write "loopback", "private", or a CIDR such as "10.0.0.0/8".`, {
      cause,
    })
  }
}

function parseSingle(text: string): [Address, number] {
  const address = ipaddr.parse(text)
  return [address, address.kind() === 'ipv4' ? 32 : 128]
}
