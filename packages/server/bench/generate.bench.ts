/**
 * `POST /api/v1/generate` against a bare Hono route that adds an equal payload to the same kind of BullMQ queue, on each store found here.
 * Both run in processes of their own and take turns; a third process is the client.
 *
 *     npm run bench -- generate        (ROUNDS, REQUESTS, CONNECTIONS, STORES=redis,embedded, PROFILE=folder)
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { paths } from '@kinora/protocol'
import { type Entrant, startEntrant } from './entrant-process.ts'
import { type Burst, type BurstResult, SETTINGS } from './protocol.ts'
import { median, printTable, spread } from './statistics.ts'
import { storesHere } from './stores.ts'

const rounds = Number(process.env['ROUNDS'] ?? 9)
const requests = Number(process.env['REQUESTS'] ?? 600)
const connections = Number(process.env['CONNECTIONS'] ?? 16)

const client = fork(fileURLToPath(new URL('client.ts', import.meta.url)), { execArgv: process.execArgv })

interface Round {
  readonly perSecond: number
  /** Milliseconds of the entrant's processor time for one request: until the last answer, and until it rested again. */
  readonly cpu: number
  readonly cpuInAll: number
}

async function burst(entrant: Entrant, count: number): Promise<Round> {
  const before = await entrant.cpu()
  const order: Burst = {
    origin: entrant.url,
    path: paths.generate(),
    body: JSON.stringify({ ...SETTINGS, upload_id: entrant.upload }),
    requests: count,
    connections,
  }
  client.send(order)
  const [{ seconds, refused }] = (await once(client, 'message')) as [BurstResult]
  if (Object.keys(refused).length > 0) throw new Error(`${entrant.kind} refused: ${JSON.stringify(refused)}`)
  const after = await entrant.cpu()
  await entrant.rest()
  const rested = await entrant.cpu()
  return { perSecond: count / seconds, cpu: (after - before) / count, cpuInAll: (rested - before) / count }
}

const rows = [
  [
    'store',
    'kinora /s',
    'bare /s',
    'ratio of throughput',
    'cpu ms kinora',
    'bare',
    'ratio of cpu',
    'with pictures, ms',
  ],
]
try {
  for (const store of storesHere()) {
    const entrants = [await startEntrant('kinora', store), await startEntrant('bare', store)] as const
    const [kinora, bare]: [Round[], Round[]] = [[], []]
    for (const entrant of entrants) await burst(entrant, requests)
    for (let round = 0; round < rounds; round++) {
      kinora.push(await burst(entrants[0], requests))
      bare.push(await burst(entrants[1], requests))
    }
    const ratios = kinora.map(({ perSecond }, round) => perSecond / (bare[round]?.perSecond ?? NaN))
    const of = (list: readonly Round[], field: keyof Round): number => median(list.map((round) => round[field]))
    rows.push([
      store,
      of(kinora, 'perSecond').toFixed(0),
      of(bare, 'perSecond').toFixed(0),
      spread(ratios),
      of(kinora, 'cpu').toFixed(2),
      of(bare, 'cpu').toFixed(2),
      (of(bare, 'cpu') / of(kinora, 'cpu')).toFixed(2),
      of(kinora, 'cpuInAll').toFixed(2),
    ])
    await Promise.all(entrants.map((entrant) => entrant.dispose()))
  }
} finally {
  client.disconnect()
}
printTable(
  `generate: ${rounds} rounds of ${requests} requests each, ${connections} connections, taking turns (goal: ratio >= 0.8)`,
  rows,
)
