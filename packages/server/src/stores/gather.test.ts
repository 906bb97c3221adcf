import { describe, expect, it } from 'vitest'
import { gather } from './gather.ts'

/** A store that answers when it is told to. */
function createSlowStore() {
  const calls: { items: readonly number[]; answer: () => void }[] = []
  const call = (items: readonly number[]): Promise<void> =>
    new Promise((resolve, reject) => {
      const answer = (): void => (items.includes(13) ? reject(new Error('13 is refused')) : resolve())
      calls.push({ items, answer })
    })
  return {
    calls,
    one: async (item: number) => {
      await call([item])
      return `${item}`
    },
    many: async (items: readonly number[]) => {
      await call(items)
      return items.map(String)
    },
  }
}

/** Lets everything run that waits for nothing else. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => void setImmediate(resolve))
}

describe('gathering', () => {
  it('sends the first soon, and together what came meanwhile', async () => {
    const store = createSlowStore()
    const add = gather(store)
    const first = add(1)
    await settle()
    const answers = Promise.all([first, ...[2, 3, 4].map(add)])
    await settle()
    expect(store.calls.map(({ items }) => items)).toEqual([[1]])
    store.calls[0]!.answer()
    await settle()
    expect(store.calls.map(({ items }) => items)).toEqual([[1], [2, 3, 4]])
    store.calls[1]!.answer()
    expect(await answers).toEqual(['1', '2', '3', '4'])
  })

  it('sends together what comes together', async () => {
    const store = createSlowStore()
    const add = gather(store)
    const answers = Promise.all([1, 2].map(add))
    await settle()
    expect(store.calls.map(({ items }) => items)).toEqual([[1, 2]])
    store.calls[0]!.answer()
    expect(await answers).toEqual(['1', '2'])
  })

  it('lets one bad item spoil nothing for the others', async () => {
    const store = createSlowStore()
    const add = gather(store)
    const answers = Promise.allSettled([1, 13, 2].map(add))
    for (let answered = 0; answered < 4; answered++) {
      await settle()
      store.calls[answered]!.answer()
    }
    expect(store.calls.map(({ items }) => items)).toEqual([[1, 13, 2], [1], [13], [2]])
    expect((await answers).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    const later = add(5)
    await settle()
    store.calls.at(-1)!.answer()
    expect(await later).toBe('5')
  })

  it('refuses everybody at once when the store has gone', async () => {
    let answer = (): void => undefined
    let sent = 0
    const add = gather<number, string>({
      one: () => new Promise((resolve) => (answer = () => resolve('done'))),
      many: async () => {
        sent++
        throw Object.assign(new Error('gone'), { code: 'ECONNREFUSED' })
      },
      atMost: 2,
    })
    const first = add(1)
    await settle()
    const others = Promise.allSettled([2, 3, 4, 5].map(add))
    answer()
    expect(await first).toBe('done')
    expect((await others).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'rejected'])
    expect(sent).toBe(1)
  })

  it('sends no more at a time than it is told', async () => {
    const store = createSlowStore()
    const add = gather({ ...store, atMost: 2 })
    const answers = Promise.all([1, 2, 3, 4].map(add))
    for (let answered = 0; answered < 2; answered++) {
      await settle()
      store.calls[answered]!.answer()
    }
    await answers
    expect(store.calls.map(({ items }) => items)).toEqual([
      [1, 2],
      [3, 4],
    ])
  })
})
