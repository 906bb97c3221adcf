/** The README's code is the file beside this one, type-checked with the package and run here. */
import { readFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { fixtures } from '@kinora/protocol/fixtures'
import { generate } from './readme/example.ts'

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')

test('the README shows the example as it runs', async () => {
  expect(read('../README.md')).toContain(`\`\`\`ts\n${read('./readme/example.ts')}\`\`\``)
  vi.stubGlobal('fetch', async () => Response.json(fixtures['job-queued'].value, { status: 201 }))
  const log = vi.spyOn(console, 'log').mockReturnValue()
  await generate('http://localhost:3000', 'key', { image_url: 'https://photos.example.com/cat.jpg' })
  expect(log).toHaveBeenCalledWith('job_4f8bQm2XkT is queued')
  await expect(
    generate('http://localhost:3000', 'key', { image_url: 'https://photos.example.com/cat.jpg', width: 1000 }),
  ).rejects.toThrow('width must be a multiple of 32, such as 992 instead of 1000')
  vi.unstubAllGlobals()
})
