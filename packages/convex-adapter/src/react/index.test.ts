import { ConvexProvider, type ConvexReactClient } from 'convex/react'
import { getFunctionName, makeFunctionReference } from 'convex/server'
import { createElement } from 'react'
import { renderToStaticMarkup } from 'react-dom/server'
import { expect, test } from 'vitest'
import { videoHooks } from './index.ts'

const { useVideoJob, useVideoJobs } = videoHooks({
  get: makeFunctionReference<'query', { jobId: string }, { status: string } | null>('videos:get'),
  listByUser: makeFunctionReference<'query', Record<string, never>, { status: string }[]>('videos:listByUser'),
})

/** Renders with a client that knows these results, and notes which queries were asked for. */
function render(component: () => string, results: Record<string, unknown> = {}) {
  const asked: string[] = []
  const client = {
    watchQuery(query: Parameters<typeof getFunctionName>[0], args: unknown) {
      const key = `${getFunctionName(query)} ${JSON.stringify(args)}`
      asked.push(key)
      return { onUpdate: () => () => {}, localQueryResult: () => results[key], journal: () => undefined }
    },
  }
  const tree = createElement(
    ConvexProvider,
    // The part of a client that `useQuery` needs; a whole one opens a socket.
    { client: client as unknown as ConvexReactClient },
    createElement(component),
  )
  return { html: renderToStaticMarkup(tree), asked: [...new Set(asked)] }
}

const show = (value: unknown) => JSON.stringify(value) ?? 'undefined'

test('useVideoJob watches one job with the app’s own query', () => {
  const { html, asked } = render(() => String(useVideoJob('j1')?.status), {
    'videos:get {"jobId":"j1"}': { status: 'processing' },
  })
  expect(html).toBe('processing')
  expect(asked).toEqual(['videos:get {"jobId":"j1"}'])
})

test('useVideoJob is undefined while loading, and asks for nothing without an id', () => {
  expect(render(() => show(useVideoJob('j1'))).html).toBe('undefined')
  expect(render(() => show(useVideoJob(null)))).toEqual({ html: 'undefined', asked: [] })
})

test('useVideoJob is null where the job is not this user’s', () => {
  expect(render(() => show(useVideoJob('j1')), { 'videos:get {"jobId":"j1"}': null }).html).toBe('null')
})

test('useVideoJobs watches the user’s jobs', () => {
  const jobs = [{ status: 'completed' }, { status: 'queued' }]
  const { html } = render(() => String(useVideoJobs()?.map(({ status }) => status)), { 'videos:listByUser {}': jobs })
  expect(html).toBe('completed,queued')
})
