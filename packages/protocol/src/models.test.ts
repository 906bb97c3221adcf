import { expect, test } from 'vitest'
import { BUILT_IN_ABILITIES, lackedAbility, limitsOf, MODEL_LIMITS } from './index.ts'

const wanted = { duration: 5, pictures: 1 }
const known = { images: false, size_step: 64, max_duration: 8, max_pixels: 1024 * 576, fps: { min: 24, max: 30 } }

test('nothing is known against a model of which nothing is known', () => {
  expect(lackedAbility({ duration: 10, pictures: 8, fps: 60, width: 2048, height: 1024 }, {})).toBeNull()
  expect(limitsOf()).toEqual(MODEL_LIMITS)
})

test.each([
  [{ pictures: 2 }, 'images', 'takes one picture, at the start'],
  [{ duration: 9 }, 'duration', 'makes at most 8 seconds'],
  [{ fps: 23 }, 'fps', 'makes 24 to 30 frames a second'],
  [{ fps: 31 }, 'fps', 'makes 24 to 30 frames a second'],
  [{ width: 96, height: 64 }, 'width', 'needs multiples of 64 pixels'],
  [{ height: 96 }, 'height', 'needs multiples of 64 pixels'],
  [{ width: 1024, height: 640 }, 'width', 'makes at most 589824 pixels a frame, not 655360'],
])('%j is more than the model can', (more, path, message) => {
  expect(lackedAbility({ ...wanted, ...more }, known)).toEqual({ path, message })
})

test('what lies at a limit is within it', () => {
  expect(lackedAbility({ duration: 8, pictures: 1, fps: 24, width: 1024, height: 576 }, known)).toBeNull()
  expect(lackedAbility({ ...wanted, fps: 30 }, known)).toBeNull()
})

test('limits are those of the abilities, and never wider than the protocol', () => {
  expect(limitsOf(known)).toMatchObject({ max_duration: 8, size_step: 64, fps: { min: 24, max: 30 } })
  expect(limitsOf({ max_duration: 60, max_pixels: 1e9, fps: { min: 1, max: 240 } })).toEqual(MODEL_LIMITS)
  expect(limitsOf(BUILT_IN_ABILITIES.camera)).toEqual(MODEL_LIMITS)
})
