import { describe, expect, it } from 'vitest'
import { createSlots } from './slots.ts'

const never = new AbortController().signal

/** Asks for a slot and tells whether it was given at once. */
async function asks(slots: ReturnType<typeof createSlots>, tenant: string, host?: string) {
  let release: (() => void) | undefined
  const taken = slots.take(tenant, host, never).then((given) => void (release = given))
  await Promise.race([taken, new Promise((resolve) => setImmediate(resolve))])
  return { has: release !== undefined, taken, release: () => release?.() }
}

describe('slots', () => {
  it('gives one tenant two of one host, and the next when one is back', async () => {
    const slots = createSlots({ total: 32, perHost: 2 })
    const [first, second, third] = [
      await asks(slots, 'a', 'slow.example'),
      await asks(slots, 'a', 'slow.example'),
      await asks(slots, 'a', 'slow.example'),
    ]
    expect([first.has, second.has, third.has]).toEqual([true, true, false])
    expect((await asks(slots, 'a', 'other.example')).has).toBe(true)
    expect((await asks(slots, 'b', 'slow.example')).has).toBe(true)
    first.release()
    await third.taken
  })

  it('has one for another tenant, however many hosts one tenant waits for', async () => {
    const slots = createSlots({ total: 32, perHost: 2 })
    const greedy = await Promise.all(
      Array.from({ length: 100 }, (_, index) => asks(slots, 'greedy', `host-${index % 50}.example`)),
    )
    expect(greedy.filter(({ has }) => has)).toHaveLength(16)
    expect((await asks(slots, 'modest', 'host-0.example')).has).toBe(true)
  })

  it('serves the tenant first who has the fewest', async () => {
    const slots = createSlots({ total: 2, perHost: 2 })
    const only = await asks(slots, 'many')
    const more = await asks(slots, 'many')
    const other = await asks(slots, 'few')
    expect([only.has, more.has, other.has]).toEqual([true, false, true])
    const last = await asks(slots, 'few')
    other.release()
    await last.taken
    expect(more.has).toBe(false)
  })

  it('forgets who no longer waits', async () => {
    const slots = createSlots({ total: 2, perHost: 1 })
    const first = await asks(slots, 'a', 'host.example')
    const gone = new AbortController()
    const waiting = slots.take('a', 'host.example', gone.signal)
    gone.abort(new Error('canceled'))
    await expect(waiting).rejects.toThrow('canceled')
    first.release()
    expect((await asks(slots, 'a', 'host.example')).has).toBe(true)
    await expect(slots.take('a', undefined, gone.signal)).rejects.toThrow('canceled')
  })

  it('does not bound our own storage as a host', async () => {
    const slots = createSlots({ total: 32, perHost: 2 })
    const asked = await Promise.all(Array.from({ length: 10 }, () => asks(slots, 'a')))
    expect(asked.every(({ has }) => has)).toBe(true)
  })
})
