/** The wire in an edge runtime: web standards only, no Node. Runs the bundle a user's bundler would make of the sources. */
import { EdgeVM } from '@edge-runtime/vm'
import { build } from 'esbuild'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'

async function bundle(contents: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: import.meta.dirname, loader: 'ts' },
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    globalName: 'bundled',
    platform: 'browser',
    target: 'es2022',
    conditions: ['@kinora/source'],
  })
  return outputFiles[0]?.text ?? ''
}

test('signs, verifies and parses in an edge runtime', async () => {
  const vm = new EdgeVM()
  vm.evaluate(
    await bundle(`
      import { Job, paths, signWebhook, verifyWebhookSignature } from '@kinora/protocol'
      import { fixtures } from '@kinora/protocol/fixtures'
      export async function run() {
        const body = JSON.stringify(fixtures['webhook-completed'].value)
        const secrets = ['a shared secret']
        const headers = await signWebhook({ id: 'msg_1', timestamp: new Date(), body, secrets })
        const { id } = await verifyWebhookSignature({ headers, body, secret: secrets })
        const forged = await verifyWebhookSignature({ headers, body: body + ' ', secret: secrets }).catch((error) => error.code)
        const parsed = Object.values(fixtures).filter(({ schema, value }) => schema.safeParse(value).success).length
        return [id, forged, parsed === Object.keys(fixtures).length, Job.safeParse({}).success, paths.job('a/b')].join(' ')
      }`),
  )
  await expect(vm.evaluate('bundled.run()')).resolves.toBe('msg_1 invalid_signature true false /api/v1/jobs/a%2Fb')
})

test('a client that needs no schemas carries no zod', async () => {
  const text = await bundle(`
    import { HEADERS, isFinal, paths, verifyWebhookSignature } from '@kinora/protocol'
    export { HEADERS, isFinal, paths, verifyWebhookSignature }`)
  expect(gzipSync(text).length).toBeLessThan(2_300)
  expect(text).not.toContain('_zod')
})

test('all of it, zod included, stays small', async () => {
  expect(gzipSync(await bundle(`export * from '@kinora/protocol'`)).length).toBeLessThan(18_000)
})
