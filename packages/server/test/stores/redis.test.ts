import { redisMissing, startRedis } from '../services/redis.ts'
import { describeStore } from './conformance.ts'
import { redis } from '../../src/stores/redis/index.ts'

describeStore('redis', redisMissing, async () => {
  const server = await startRedis()
  return { driver: redis({ url: server.url }), outage: server, dispose: () => server.dispose() }
})
