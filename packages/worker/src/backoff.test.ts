import { expect, test } from 'vitest'
import { backoffDelay, retry } from './backoff.ts'

test('delays double up to a limit, between half and the whole', () => {
  const delays = (random: number) =>
    [2, 3, 4, 5, 20].map((number) => backoffDelay(number, { first: 100, most: 1000, random: () => random }))
  expect(delays(1)).toEqual([100, 200, 400, 800, 1000])
  expect(delays(0)).toEqual([50, 100, 200, 400, 500])
})

const quick = { first: 1, most: 2, signal: new AbortController().signal, retryable: () => true }

test('tries until it works', async () => {
  let tries = 0
  const result = await retry(async () => {
    tries += 1
    if (tries < 4) throw new Error('not yet')
    return 'done'
  }, quick)
  expect([result, tries]).toEqual(['done', 4])
})

test('an error that does not pass ends the tries', async () => {
  let tries = 0
  const refused = retry(
    async () => {
      tries += 1
      throw new Error('refused')
    },
    { ...quick, retryable: () => false },
  )
  await expect(refused).rejects.toThrow('refused')
  expect(tries).toBe(1)
})

test('gives up after a while, with the last error', async () => {
  let tries = 0
  const late = retry(
    async () => {
      tries += 1
      throw new Error(`try ${tries}`)
    },
    { ...quick, first: 20, most: 20, giveUpAfter: 100 },
  )
  await expect(late).rejects.toThrow(/try [2-9]/)
})

test('wakes at once when aborted', async () => {
  const controller = new AbortController()
  const waiting = retry(() => Promise.reject(new Error('away')), {
    ...quick,
    first: 60_000,
    most: 60_000,
    signal: controller.signal,
    onRetry: () => controller.abort(new Error('stopped')),
  })
  await expect(waiting).rejects.toThrow('stopped')
})
