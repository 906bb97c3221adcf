// @vitest-environment edge-runtime
import { JOB_STAGES, JOB_STATUSES, SETTING_NAMES, signWebhook } from '@kinora/protocol'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createJob, getJob, insertJob, pass, SECRET, startComponent } from '../../test/component.ts'
import { startScriptedServer, wireJob } from '../../test/scripted-server.ts'
import readme from '../../README.md?raw'
import { api } from './_generated/api.ts'
import { isFinal, jobStage, jobStatus, OPEN_STATUSES, settings } from './job.ts'

let server: Awaited<ReturnType<typeof startScriptedServer>>
beforeEach(async () => {
  vi.useFakeTimers()
  server = await startScriptedServer(() => ({ status: 201, body: wireJob() }))
})
afterEach(async () => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
  await server.close()
})

const texts = <Text extends string>({ members }: { members: { value: Text }[] }) => members.map(({ value }) => value)

test('statuses, stages and settings are the wire’s', () => {
  expect(texts(jobStatus)).toEqual(['uploading', ...JOB_STATUSES])
  expect(texts(jobStage)).toEqual(JOB_STAGES)
  expect([...OPEN_STATUSES, ...jobStatus.members.map(({ value }) => value).filter(isFinal)]).toEqual(texts(jobStatus))
  const own = ['model', 'images', 'end_image_url', 'end_upload_id', 'metadata']
  expect(Object.keys(settings.fields).toSorted()).toEqual(
    [...SETTING_NAMES.filter((name) => name !== 'prompt' && name !== 'duration'), ...own].toSorted(),
  )
})

test('the README draws every state, and no way out of a final one', () => {
  const drawn = [...readme.matchAll(/^ +(\w+) --> (\w+|\[\*\])/gm)].map(([, from = '', to = '']) => ({ from, to }))
  for (const status of texts(jobStatus)) {
    const ways = drawn.filter(({ from }) => from === status).map(({ to }) => to)
    if (isFinal(status)) expect([status, ways]).toEqual([status, ['[*]']])
    else expect([status, ways]).toEqual([status, expect.arrayContaining(['failed', 'canceled'])])
    expect(drawn.map(({ to }) => to)).toContain(status)
  }
})

test('what the wire has besides goes along by name', async () => {
  const t = startComponent(server.url)
  const asked = {
    image_crf: 20,
    image_strength: 0.5,
    end_image_url: 'https://pictures.example.com/end.jpg',
    metadata: { album: 'cats' },
  }
  await createJob(t, { settings: asked })
  await pass(t)
  expect(JSON.parse(server.seen[0]?.body ?? '')).toMatchObject({
    ...asked,
    image_url: 'https://pictures.example.com/cat.jpg',
  })
})

test('several pictures go without the one', async () => {
  const t = startComponent(server.url)
  const images = [
    { image_url: 'https://pictures.example.com/1.jpg', at: 'start' as const },
    { upload_id: 'up_2', seconds: 2, strength: 0.7 },
  ]
  await t.mutation(api.lib.create, { userId: 'ada', settings: { images } })
  await pass(t)
  const body = JSON.parse(server.seen[0]?.body ?? '')
  expect(body.images).toEqual(images)
  expect(body).not.toHaveProperty('image_url')
})

test.each([
  [{ settings: { image_crf: 99 } }, 'image_crf: must be at most 51, not 99'],
  [
    { settings: { images: [{ image_url: 'https://p.example.com/1.jpg', at: 'start' as const }] } },
    'image: give only one',
  ],
  [
    { imageUrl: 'http://127.0.0.1/a', sourceImageId: 'a', settings: { metadata: { a: 1 } } },
    'metadata: does not go along with a picture that is sent as bytes',
  ],
])('create refuses %j', async (args, message) => {
  await expect(createJob(startComponent(server.url), args)).rejects.toMatchObject({
    data: { code: 'invalid_request', message: expect.stringContaining(message) },
  })
})

test('create refuses a job without a picture', async () => {
  await expect(startComponent(server.url).mutation(api.lib.create, { userId: 'ada' })).rejects.toMatchObject({
    data: { code: 'invalid_request', message: 'image: give the picture' },
  })
})

test('what the server says was left aside stands in the job, from polls and from webhooks', async () => {
  const t = startComponent(server.url)
  const notices = ['steps: 20 was left aside']
  const polled = await createJob(t)
  server.answer(() => ({ body: wireJob({ status: 'processing', notices }) }))
  await pass(t, 10_000)
  expect(await getJob(t, polled)).toMatchObject({ status: 'processing', notices })

  const told = await insertJob(t, { externalJobId: 'job_2' })
  const body = JSON.stringify({ type: 'job.failed', job_id: 'job_2', status: 'failed', error: 'No', data: { notices } })
  const headers = await signWebhook({ id: 'm', timestamp: new Date(), body, secrets: [SECRET] })
  expect((await t.fetch('/video-complete', { method: 'POST', headers, body })).status).toBe(200)
  expect(await getJob(t, told)).toMatchObject({ status: 'failed', notices })
})
