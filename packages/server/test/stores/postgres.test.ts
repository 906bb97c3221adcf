import { postgresMissing, startPostgres } from '../services/postgres.ts'
import { describeStore } from './conformance.ts'
import { postgres } from '../../src/stores/postgres/index.ts'

describeStore('postgres', postgresMissing, async () => {
  const server = await startPostgres()
  return { driver: postgres({ url: server.url }), outage: server, dispose: () => server.dispose() }
})
