import { Kinora } from '@kinora/sdk'
import { mockKinora } from '@kinora/sdk/testing'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { orderVideo } from './errors.ts'

const mock = mockKinora({ apiKey: 'test' })
const server = setupServer(...mock.handlers)
beforeAll(() => server.listen())
afterEach(() => mock.reset())
afterAll(() => server.close())

const kinora = new Kinora({ baseUrl: mock.baseUrl, apiKey: 'test' })

test('an order that is repeated, and whose first answer is lost, makes one video', async () => {
  mock.failNext({ kind: 'lost', path: '/generate' })
  const first = await orderVideo(kinora, '42', 'https://photos.example.com/cat.jpg')
  const second = await orderVideo(kinora, '42', 'https://photos.example.com/cat.jpg')
  expect([first, mock.jobs().length]).toEqual([second, 1])
})
