import { describe, expect, it } from 'vitest'
import { createShare } from './share.ts'

/** How many a tenant gets. */
function fill(share: ReturnType<typeof createShare>, tenant: string): number {
  while (share.take(tenant));
  return share.of(tenant)
}

describe('a share', () => {
  it('leaves room for whoever comes next', () => {
    const share = createShare({ total: 32 })
    expect(fill(share, 'first')).toBe(16)
    expect(fill(share, 'second')).toBe(8)
    expect(fill(share, 'third')).toBe(4)
    expect(fill(share, 'fourth')).toBeGreaterThan(0)
  })

  it('never gives one tenant more than is allowed to each, nor more than there is', () => {
    const share = createShare({ total: 128, each: 32 })
    const tenants = Array.from({ length: 200 }, (_, index) => `tenant-${index}`)
    const given = tenants.map((tenant) => fill(share, tenant))
    expect(Math.max(...given)).toBe(32)
    expect(given.reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(128)
  })

  it('takes back once what is given back twice', () => {
    const share = createShare({ total: 4 })
    const give = share.take('one')
    share.take('one')
    give?.()
    give?.()
    expect(share.of('one')).toBe(1)
    expect(fill(share, 'one')).toBe(2)
  })
})
