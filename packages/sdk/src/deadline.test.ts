import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { sleep, startDeadline } from './deadline.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('a deadline aborts when its time is over, and knows that it was the time', () => {
  const deadline = startDeadline(undefined, 1000)
  vi.advanceTimersByTime(400)
  expect([deadline.signal.aborted, deadline.remaining()]).toEqual([false, 600])
  vi.advanceTimersByTime(600)
  expect([deadline.signal.aborted, deadline.timedOut()]).toEqual([true, true])
})

test('it follows the caller’s signal, with the caller’s reason', () => {
  const controller = new AbortController()
  const deadline = startDeadline(controller.signal, Infinity)
  controller.abort('enough')
  expect([deadline.signal.reason, deadline.timedOut()]).toEqual(['enough', false])
  expect(startDeadline(controller.signal, 5).signal.reason).toBe('enough')
})

test('a stopped clock still follows the caller; a released one follows nobody', () => {
  const controller = new AbortController()
  const stopped = startDeadline(controller.signal, 10)
  const released = startDeadline(controller.signal, 10)
  stopped.stopClock()
  released.release()
  vi.advanceTimersByTime(100)
  expect(stopped.signal.aborted).toBe(false)
  controller.abort()
  expect([stopped.signal.aborted, released.signal.aborted]).toEqual([true, false])
})

test('sleep ends early, with the reason, when it is aborted', async () => {
  const controller = new AbortController()
  const sleeping = expect(sleep(60_000, controller.signal)).rejects.toBe('enough')
  controller.abort('enough')
  await sleeping
  await expect(sleep(1, controller.signal)).rejects.toBe('enough')
  expect(vi.getTimerCount()).toBe(0)
})
