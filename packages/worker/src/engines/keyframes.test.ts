import { expect, test } from 'vitest'
import { EngineError } from '../failure.ts'
import { checkPlaces } from './keyframes.ts'

const at = (frame: number, strength = 1) => ({ frame, strength })

test('every whole frame of the video can hold a picture, at any strength', () => {
  checkPlaces([at(0), at(1, 0), at(7, 0.5), at(16)], 17)
})

test.each([
  ['beyond the end', [at(0), at(17)], /Picture 2 of 2 .* frame 17, but the video has the frames 0 to 16/],
  ['before the start', [at(-8)], /frame -8/],
  ['between two frames', [at(3.5)], /3\.5, which is no whole number/],
  ['two at one frame', [at(0), at(8), at(8)], /Picture 3 of 3 stands at frame 8, where picture 2 is/],
  ['too strong', [at(0, 1.7)], /strength 1\.7; it must be 0 to 1/],
  ['no strength', [at(0, Number.NaN)], /strength NaN/],
])('%s is refused', (_, pictures, words) => {
  const check = () => checkPlaces(pictures, 17)
  expect(check).toThrow(EngineError)
  expect(check).toThrow(words)
})
