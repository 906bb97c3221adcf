import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { createTokenizer, loadTokenizer } from './tokenizer.ts'

const fixtures = fileURLToPath(new URL('../../../test/fixtures/tokenizer', import.meta.url))
const model = await readFile(join(fixtures, 'spiece.model'))
const recorded: { text: string; ids: number[] }[] = JSON.parse(
  await readFile(join(fixtures, 'transformers.json'), 'utf8'),
)

async function folderWith(files: Record<string, string | Uint8Array>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kinora-tokenizer-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
  return folder
}

test('gives the ids that transformers gives, for prompts and for anything else that can be typed', () => {
  const tokenizer = createTokenizer(model, { extraIds: 0 })
  const ours = recorded.map(({ text }) => ({ text, ids: tokenizer.encode(text) }))
  expect(ours).toEqual(recorded)
})

test('pads to the length that the text encoder wants, and masks the padding', () => {
  const { ids, mask } = createTokenizer(model).encodePadded('A smooth cinematic video', 14)
  expect(ids).toEqual([3, 2, 48, 6, 20, 159, 15, 160, 158, 6, 1, 0, 0, 0])
  expect(mask).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0])
})

test('cuts a long prompt so that it still ends with </s>', () => {
  const { ids, mask } = createTokenizer(model).encodePadded('A smooth cinematic video', 5)
  expect(ids).toEqual([3, 2, 48, 6, 1])
  expect(mask).toEqual([1, 1, 1, 1, 1])
})

test('an empty prompt is one </s> and padding', () => {
  expect(createTokenizer(model).encodePadded('', 3)).toEqual({ ids: [1, 0, 0], mask: [1, 0, 0] })
})

test('the sentinels follow the vocabulary in falling order, and are found in the middle of a text', () => {
  const tokenizer = createTokenizer(model, { extraIds: 100 })
  expect(tokenizer.size).toBe(420)
  expect(tokenizer.encode('<extra_id_0>')).toEqual([419, 1])
  expect(tokenizer.encode('<extra_id_99>')).toEqual([320, 1])
  expect(tokenizer.encode('x<extra_id_1>x')).toEqual([
    ...tokenizer.encode('x').slice(0, -1),
    418,
    ...tokenizer.encode('x'),
  ])
})

test('a lone surrogate, which no well-formed text has, does not throw', () => {
  expect(createTokenizer(model).encode('\ud83c').at(-1)).toBe(1)
})

test('reads the number of sentinels and the special tokens from tokenizer_config.json', async () => {
  const config = { extra_ids: 7, eos_token: { content: '</s>' }, pad_token: '<pad>' }
  const tokenizer = await loadTokenizer(
    await folderWith({ 'spiece.model': model, 'tokenizer_config.json': JSON.stringify(config) }),
  )
  expect(tokenizer.size).toBe(327)
})

test("has T5's 100 sentinels where no config says otherwise", async () => {
  expect((await loadTokenizer(await folderWith({ 'spiece.model': model }))).size).toBe(420)
})

test.each([
  ['is missing', {}, /spiece\.model cannot be read.*kinora models pull/],
  ['is cut short', { 'spiece.model': model.subarray(0, 200_000) }, /spiece\.model is no tokenizer that Kinora can use/],
  [
    'is an error page',
    { 'spiece.model': '<html>not found</html>' },
    /spiece\.model is no tokenizer that Kinora can use/,
  ],
  ['is empty', { 'spiece.model': '' }, /it has no vocabulary/],
  [
    'lacks a special token',
    { 'spiece.model': model, 'tokenizer_config.json': '{"pad_token": "[PAD]"}' },
    /lacks \[PAD\]/,
  ],
])('says which file is broken when it %s', async (_, files, message) => {
  await expect(loadTokenizer(await folderWith(files))).rejects.toMatchObject({
    code: 'model_broken',
    message: expect.stringMatching(message),
  })
})
