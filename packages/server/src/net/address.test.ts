import { describe, expect, it } from 'vitest'
import { createAddressCheck } from './address.ts'

const PUBLIC = ['93.184.216.34', '1.1.1.1', '2606:4700:4700::1111', '::ffff:93.184.216.34', '64:ff9b::5db8:d822']

const NEVER_PUBLIC = {
  loopback: ['127.0.0.1', '127.255.255.254', '::1', '::ffff:127.0.0.1', '::ffff:7f00:1', '64:ff9b::7f00:1'],
  private: ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '::ffff:10.0.0.1', '64:ff9b::a00:1', 'fd12::1'],
  linkLocal: [
    '169.254.169.254',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '64:ff9b::a9fe:a9fe',
    'fe80::1',
    'fe80::1%eth0',
  ],
  carrierGradeNat: ['100.64.0.1', '100.127.255.255'],
  metadata: ['fd00:ec2::254', '100.100.100.200'],
  other: [
    '0.0.0.0',
    '::',
    '255.255.255.255',
    '224.0.0.1',
    'ff02::1',
    '240.0.0.1',
    '192.0.2.1',
    '198.18.0.1',
    '2001:db8::1',
    '2002:7f00:1::',
    '2002:a00:1::',
    '2001:0:1::1',
    '64:ff9b:1::1',
    'fec0::1',
    '::7f00:1',
    '0:0:0:0:0:ffff:0:7f00',
  ],
}

describe('which addresses may be reached', () => {
  it('are the public ones', () => {
    const check = createAddressCheck()
    for (const address of PUBLIC) expect([address, check(address)]).toEqual([address, true])
    for (const address of Object.values(NEVER_PUBLIC).flat())
      expect([address, check(address)]).toEqual([address, false])
  })

  it('are loopback too, and nothing else, where the operator says so', () => {
    const check = createAddressCheck(['loopback'])
    for (const address of [...PUBLIC, ...NEVER_PUBLIC.loopback])
      expect([address, check(address)]).toEqual([address, true])
    const { loopback: _, ...rest } = NEVER_PUBLIC
    for (const address of Object.values(rest).flat()) expect([address, check(address)]).toEqual([address, false])
  })

  it('never are metadata and link-local ones, even where private networks are allowed', () => {
    const check = createAddressCheck(['private'])
    const allowed = [...NEVER_PUBLIC.loopback, ...NEVER_PUBLIC.private, ...NEVER_PUBLIC.carrierGradeNat]
    for (const address of allowed) expect([address, check(address)]).toEqual([address, true])
    for (const address of [...NEVER_PUBLIC.linkLocal, ...NEVER_PUBLIC.metadata, ...NEVER_PUBLIC.other]) {
      expect([address, check(address)]).toEqual([address, false])
    }
  })

  it('are those of a network the operator names', () => {
    const check = createAddressCheck(['10.1.0.0/16', 'fd12::/16', '192.168.7.7'])
    expect(['10.1.2.3', '::ffff:10.1.2.3', 'fd12::5', '192.168.7.7'].map(check)).toEqual([true, true, true, true])
    expect(['10.2.0.1', '192.168.7.8', 'fd13::5'].map(check)).toEqual([false, false, false])
    expect(() => createAddressCheck(['10.0.0.0/99'])).toThrow(/"10.0.0.0\/99" is not a network/)
    expect(() => createAddressCheck(['lan'])).toThrow(/"lan" is not a network/)
  })

  it('are none that are no addresses', () => {
    for (const text of ['', 'localhost', '1.2.3.4.5']) expect(createAddressCheck()(text)).toBe(false)
  })
})
