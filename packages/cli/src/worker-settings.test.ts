import { expect, test } from 'vitest'
import { readWorkerSettings } from './worker-settings.ts'

test.each([
  ['style.safetensors=0.8', ['style.safetensors=0.8']],
  ['style.safetensors, detail.safetensors=0.5', ['style.safetensors', 'detail.safetensors=0.5']],
  // As several --lora become one variable: with line breaks, for the sake of commas in names.
  ['one, two.safetensors\n', ['one, two.safetensors']],
  ['one, two.safetensors\nthree.safetensors=-1\n', ['one, two.safetensors', 'three.safetensors=-1']],
  ['', undefined],
])('LORA=%j', (LORA, loras) => {
  expect(readWorkerSettings({ LORA }).options.engineOptions?.['loras']).toEqual(loras)
})
