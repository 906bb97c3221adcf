import { describe, expect, test } from 'vitest'
import { readPrompt } from './words.ts'

describe('words that move the camera', () => {
  test.each([
    ['pan left', { pan: 'left' }],
    ['Pan Right.', { pan: 'right' }],
    ['panning up over the city', { pan: 'up' }],
    ['tilt down', { pan: 'down' }],
    ['the camera drifts to the left', { pan: 'left' }],
    ['Camera slowly moves to the right side of the harbour', { pan: 'right', pace: 0.6 }],
    ['a slow pan to the left', { pan: 'left', pace: 0.6 }],
    ['pan from left to right', { pan: 'right' }],
    ['the camera pans right to left', { pan: 'left' }],
    ['drift left', { pan: 'left' }],
    ['the camera rises above the trees', { pan: 'up' }],
    ['pan up and to the left', { pan: 'up', alsoPan: 'left' }],
    ['a panning shot', { pan: 'any' }],
    ['truck right', { pan: 'right' }],
    ['zoom in', { zoom: 'in' }],
    ['zoom out slowly', { zoom: 'out', pace: 0.6 }],
    ['slowly zooming into her face', { zoom: 'in', pace: 0.6 }],
    ['a cat. zoom', { zoom: 'in' }],
    ['quick zoom out', { zoom: 'out', pace: 1.7 }],
    ['dolly in', { dolly: 'in' }],
    ['dolly out fast', { dolly: 'out', pace: 1.7 }],
    ['push in', { dolly: 'in' }],
    ['the camera pulls back', { dolly: 'out' }],
    ['camera moves closer to the cup', { dolly: 'in' }],
    ['the camera moves forward', { dolly: 'in' }],
    ['rotate clockwise', { rotate: 'clockwise' }],
    ['rotate counter-clockwise', { rotate: 'counterclockwise' }],
    ['the picture spins anticlockwise', { rotate: 'counterclockwise' }],
    ['the camera rolls clockwise', { rotate: 'counterclockwise' }],
    ['rotate', { rotate: 'any' }],
    ['zoom in and pan left', { zoom: 'in', pan: 'left' }],
    ['pan left, then zoom out', { zoom: 'out', pan: 'left' }],
    ['static', { still: true }],
    ['a static shot of a lake', { still: true }],
    ['The camera holds still', { still: true }],
    ['A lighthouse, no camera movement', { still: true }],
  ])('%s', (prompt, expected) => {
    expect(readPrompt(prompt)).toEqual({ still: false, pace: 1, ...expected })
  })
})

describe('words that do not', () => {
  test.each([
    '',
    'A smooth cinematic video',
    'the clouds drift to the left',
    'a frying pan on the left of the stove',
    'a truck turns right at the corner',
    'static electricity makes her hair rise',
    'a photograph taken with a zoom lens',
    'the dancer spins clockwise',
    'she moves forward with her left hand up',
    'no zoom',
    'without panning left',
    'wheels rotate on the track',
    'a still life with flowers',
    'people push the car back',
  ])('%s', (prompt) => {
    const { pace: _, still, ...moves } = readPrompt(prompt)
    expect(Object.values(moves).filter((move) => move !== undefined)).toEqual([])
    expect(still).toBe(false)
  })
})
