/**
 * `npm run chaos`: everything is killed, frozen, delayed and cut while clients use the service, and an independent checker looks at what they were
 * told. `--store redis` (embedded, redis, postgres; all by default), `--jobs 60`, `--kills 30`, `--full` for 200 and 100, `--seed 1`.
 */
import { parseArgs } from 'node:util'
import { postgresMissing } from '../../packages/server/test/services/postgres.ts'
import { redisMissing } from '../../packages/server/test/services/redis.ts'
import { runChaos } from './chaos.ts'
import type { StoreKind } from './world.ts'

const { values } = parseArgs({
  options: {
    store: { type: 'string', multiple: true },
    jobs: { type: 'string' },
    kills: { type: 'string' },
    full: { type: 'boolean', default: false },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
})
const missing: Readonly<Record<StoreKind, string | false>> = {
  embedded: false,
  redis: redisMissing,
  postgres: postgresMissing,
}
const all = Object.keys(missing) as StoreKind[]
const stores = values.store ? all.filter((store) => values.store?.includes(store)) : all
const jobs = Number(values.jobs ?? (values.full ? 200 : 60))
const kills = Number(values.kills ?? (values.full ? 100 : 30))

let broken = 0
for (const store of stores) {
  if (missing[store]) {
    console.log(missing[store])
    continue
  }
  console.log(`\n== ${store}: ${jobs} jobs, ${kills} kills, seed ${values.seed}`)
  const { faults, diagnosis, ...report } = await runChaos({
    store,
    jobs,
    kills,
    seed: Number(values.seed),
    say: (line) => console.log(line),
  })
  console.log(JSON.stringify(report, null, 1))
  console.log(faults.length === 0 ? 'No promise was broken.' : `Broken promises:\n- ${faults.join('\n- ')}`)
  if (faults.length > 0) console.log(diagnosis)
  broken += faults.length
}
process.exit(broken === 0 ? 0 : 1)
