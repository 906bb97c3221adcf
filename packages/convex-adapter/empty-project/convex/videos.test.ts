// @vitest-environment edge-runtime
/// <reference types="vite/client" />
import { register } from '@kinora/convex/test'
import { convexTest } from 'convex-test'
import { expect, test } from 'vitest'
import { api } from './_generated/api'
import schema from './schema'

const modules = import.meta.glob('./**/*.{ts,js}')

test('a job is made, and shown to its user', async () => {
  const t = convexTest(schema, modules)
  register(t)
  register(t, 'drafts')
  await t.run((ctx) => ctx.db.insert('users', { name: 'Ada' }))
  const sourceImageId = await t.run((ctx) => ctx.storage.store(new Blob(['picture'])))
  const jobId = await t.mutation(api.videos.create, { sourceImageId, prompt: 'slow zoom' })
  expect(await t.query(api.videos.get, { jobId })).toMatchObject({ status: 'uploading', prompt: 'slow zoom' })
})
