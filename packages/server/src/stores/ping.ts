import type { StoreName } from './store.ts'

/** A limit on every ping, whatever the driver does. */
export async function pingWithin(milliseconds: number, store: StoreName, ping: () => Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(Object.assign(new Error(`${store} did not answer within ${milliseconds} ms`), { code: 'ETIMEDOUT' })),
      milliseconds,
    )
  })
  try {
    await Promise.race([ping(), late])
  } finally {
    clearTimeout(timer)
  }
}
