/** The client, in a process of its own: a bounded number of equal requests over some connections that stay open. */
import { Pool } from 'undici'
import { API_KEY, type Burst, type BurstResult, now } from './protocol.ts'

const pools = new Map<string, Pool>()

async function send({ origin, path, body, requests, connections }: Burst): Promise<BurstResult> {
  const pool = pools.get(origin) ?? new Pool(origin, { connections, pipelining: 1 })
  pools.set(origin, pool)
  const headers = { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' }
  const refused: Record<string, number> = {}
  let left = requests
  async function one(): Promise<void> {
    while (left-- > 0) {
      const answer = await pool.request({ method: 'POST', path, headers, body })
      await answer.body.text()
      if (answer.statusCode !== 201) refused[answer.statusCode] = (refused[answer.statusCode] ?? 0) + 1
    }
  }
  const began = now()
  await Promise.all(Array.from({ length: connections }, one))
  return { seconds: (now() - began) / 1000, refused }
}

process.on('message', (burst: Burst) => {
  void send(burst).then((result) => process.send?.(result))
})
process.on('disconnect', () => process.exit())
