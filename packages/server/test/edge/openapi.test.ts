import { readFile } from 'node:fs/promises'
import { paths } from '@kinora/protocol'
import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openServer, type TestServer } from './server.ts'

interface Document {
  readonly openapi: string
  readonly paths: Record<
    string,
    Record<string, { operationId: string; responses: Record<string, unknown>; requestBody?: any }>
  >
}

let server: TestServer
let document: Document
beforeAll(async () => {
  server = await openServer()
  document = (await (await fetch(server.url + paths.openapi())).json()) as Document
})
afterAll(() => server?.close())

describe('the OpenAPI document', () => {
  it('is valid OpenAPI 3.1', async () => {
    const validator = new Validator()
    const result = await validator.validate(structuredClone(document))
    expect(result.errors ?? []).toEqual([])
    expect([result.valid, validator.version]).toEqual([true, '3.1'])
  })

  it('has every path of the protocol', () => {
    const patterns = Object.keys(document.paths).map((path) => path.replace(/\{\w+\}/g, 'ID'))
    for (const path of Object.values(paths)) {
      const written = path('ID')
      if (written !== paths.openapi()) expect(patterns).toContain(written)
    }
  })

  it('describes requests and answers by the protocol’s own schemas', () => {
    const { post } = document.paths['/api/v1/generate']!
    const { schema } = post!.requestBody.content['application/json']
    expect(Object.keys(schema.properties)).toEqual(
      expect.arrayContaining(['image_url', 'upload_id', 'duration', 'seed']),
    )
    expect(schema.required ?? []).not.toContain('duration')
    expect(Object.keys(post!.responses)).toEqual(expect.arrayContaining(['201', '400', '401', '413', '422', '503']))
    expect(Object.keys(post!.requestBody.content)).toContain('multipart/form-data')
  })

  it('says the package’s version', async () => {
    const manifest = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
    expect(document).toMatchObject({ info: { version: manifest.version } })
  })
})
