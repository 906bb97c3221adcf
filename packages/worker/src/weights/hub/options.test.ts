import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { isModelId, parseModelId } from './model-id.ts'
import { hubOptionsFromEnvironment, withDefaults } from './options.ts'

test('reads the variables of the hub and of Kinora', () => {
  const env = {
    HF_TOKEN: 'hf_x',
    HF_ENDPOINT: 'https://mirror.test/',
    HF_HOME: '/hf',
    MODEL_CACHE: '/models',
    ACCEPT_MODEL_LICENSE: 'true',
  }
  const options = hubOptionsFromEnvironment(env)
  expect(options).toEqual({
    token: 'hf_x',
    endpoint: 'https://mirror.test/',
    hubCacheDir: '/hf/hub',
    cacheDir: '/models',
    acceptLicense: true,
  })
  expect(withDefaults(options).endpoint).toBe('https://mirror.test')
})

test('has the defaults that huggingface_hub has', () => {
  const options = hubOptionsFromEnvironment({ HF_TOKEN_PATH: '/no/token' })
  expect(options).toMatchObject({
    token: undefined,
    hubCacheDir: join(homedir(), '.cache/huggingface/hub'),
    acceptLicense: false,
  })
  expect(withDefaults(options)).toMatchObject({
    endpoint: 'https://huggingface.co',
    cacheDir: join(homedir(), '.cache/kinora'),
  })
})

test('uses the token that a login has saved', async () => {
  const home = await mkdtemp(join(tmpdir(), 'kinora-hf-'))
  onTestFinished(() => rm(home, { recursive: true }))
  await writeFile(join(home, 'token'), 'hf_saved\n')
  expect(hubOptionsFromEnvironment({ HF_HOME: home }).token).toBe('hf_saved')
  expect(hubOptionsFromEnvironment({ HF_HOME: home, HF_TOKEN: 'hf_mine' }).token).toBe('hf_mine')
})

test('understands the names of models', () => {
  expect(parseModelId('a-b/C.d_1')).toMatchObject({ owner: 'a-b', name: 'C.d_1', revision: 'main', file: undefined })
  expect(parseModelId('a/b@v1:sub/x.safetensors')).toMatchObject({
    repository: 'a/b',
    revision: 'v1',
    file: 'sub/x.safetensors',
  })
  for (const wrong of [
    'a',
    'a/b/c',
    './a',
    '../a',
    '/a/b',
    'a/..',
    'a/b:../x',
    'a/b:/etc/x',
    'https://a/b',
    'a b/c',
    '',
  ])
    expect(isModelId(wrong), wrong).toBe(false)
})
