import { getEventListeners } from 'node:events'
import { expect, it } from 'vitest'
import { joinSignals } from './join-signals.ts'

it('aborts with the first, and holds on to none', () => {
  const [one, two] = [new AbortController(), new AbortController()]
  const joined = joinSignals([one.signal, two.signal])
  expect(joined.signal.aborted).toBe(false)
  two.abort(new Error('two'))
  expect(joined.signal.reason).toEqual(new Error('two'))
  expect(getEventListeners(one.signal, 'abort')).toEqual([])
})

it('lets go when it is released', () => {
  const lasting = new AbortController()
  for (let round = 0; round < 3; round++) joinSignals([lasting.signal]).release()
  expect(getEventListeners(lasting.signal, 'abort')).toEqual([])
})

it('is aborted from the start when one of them is', () => {
  const lasting = new AbortController()
  const joined = joinSignals([lasting.signal, AbortSignal.abort(new Error('before'))])
  expect(joined.signal.reason).toEqual(new Error('before'))
  expect(getEventListeners(lasting.signal, 'abort')).toEqual([])
})
