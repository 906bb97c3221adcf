/** From words, picture and seed to a plan: which way the camera goes, and how far. */

import type { Size } from '../../media/crop.ts'
import type { CameraWords } from './words.ts'

/** A point of a picture; 0,0 is its left upper corner, 1,1 the right lower. */
export interface Point {
  readonly x: number
  readonly y: number
}

/** A movement of the camera over the length of a video. */
export interface Motion {
  /** How far the view travels, in widths (x) and heights (y) of the view; positive is right and down. */
  readonly travel: Point
  /** The view at the end, measured by the view at the start: 0.8 shows less and so came closer. */
  readonly closeness: number
  /** Whether it came closer by travelling (dolly) or by zooming. */
  readonly dolly: boolean
  /** Radians the picture turns clockwise on the screen. */
  readonly turn: number
  /** What stays in place while the camera comes closer. */
  readonly focus: Point
}

export interface MotionRequest {
  readonly words: CameraWords
  readonly seed: number
  /** Seconds. */
  readonly duration: number
  readonly picture: Size
  readonly frame: Size
  /** Where the picture has most to see. */
  readonly focus: Point
}

/** Movement of five seconds at the usual pace: a sixth of the frame, a sixth closer, eight degrees. */
const usual = { seconds: 5, travel: 0.16, closer: 0.17, turn: (8 / 180) * Math.PI }

/** The same words, seed and picture always give the same motion. */
export function planMotion(request: MotionRequest): Motion {
  const { words, seed, duration, focus } = request
  const random = randomNumbers(seed)
  const variation = 0.85 + 0.3 * random()
  const first = random()
  const second = random()
  const motion: Motion = { travel: { x: 0, y: 0 }, closeness: 1, dolly: false, turn: 0, focus }
  if (words.still) return motion
  const amount = words.pace * variation * (duration / usual.seconds)
  const spare = spareTravel(request.picture, request.frame)
  const chosen = chooses(words) ? words : suitable(words, spare, first, second)
  const closer = clamp(usual.closer * amount, 0.02, 0.45)
  const approach = chosen.dolly ?? chosen.zoom
  return {
    travel: travelOf(chosen, clamp(usual.travel * amount, 0.02, 0.4), spare, first),
    closeness: approach === undefined ? 1 : approach === 'in' ? 1 - closer : 1 / (1 - closer),
    dolly: chosen.dolly !== undefined,
    turn: turnOf(chosen, clamp(usual.turn * amount, 0.02, 0.3), second),
    focus,
  }
}

function chooses({ pan, zoom, dolly, rotate }: CameraWords): boolean {
  return pan !== undefined || zoom !== undefined || dolly !== undefined || rotate !== undefined
}

/** Without words: a picture much wider or taller than the frame is panned along, so that all of it is seen; others are approached, seldom left. */
function suitable(words: CameraWords, spare: Point, first: number, second: number): CameraWords {
  if (Math.max(spare.x, spare.y) > 0.2) return { ...words, pan: 'any' }
  return first < 0.75 ? { ...words, zoom: 'in' } : second < 0.5 ? { ...words, zoom: 'out' } : { ...words, dolly: 'in' }
}

/** How far a view that covers the frame could travel, in views. */
function spareTravel(picture: Size, frame: Size): Point {
  const aspect = picture.width / picture.height / (frame.width / frame.height)
  return { x: Math.max(aspect - 1, 0), y: Math.max(1 / aspect - 1, 0) }
}

function travelOf(words: CameraWords, usualTravel: number, spare: Point, random: number): Point {
  const directions = [words.pan, words.alsoPan].map((pan) => (pan === 'any' ? anyDirection(spare, random) : pan))
  // What the picture has to show beyond the frame is used, but not so much of it that the pan hurries.
  const across = Math.max(usualTravel, Math.min(spare.x, usualTravel * 2.5))
  const along = Math.max(usualTravel, Math.min(spare.y, usualTravel * 2.5))
  const has = (direction: 'left' | 'right' | 'up' | 'down') => (directions.includes(direction) ? 1 : 0)
  return { x: across * (has('right') - has('left')), y: along * (has('down') - has('up')) }
}

function anyDirection(spare: Point, random: number): 'left' | 'right' | 'up' | 'down' {
  if (spare.y > spare.x) return random < 0.5 ? 'up' : 'down'
  return random < 0.5 ? 'left' : 'right'
}

function turnOf({ rotate }: CameraWords, angle: number, random: number): number {
  if (rotate === undefined) return 0
  const clockwise = rotate === 'any' ? random < 0.5 : rotate === 'clockwise'
  return clockwise ? angle : -angle
}

/** Mulberry32 by Tommy Ettinger: good enough to vary a movement, the same everywhere. Numbers in 0..1. */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function clamp(value: number, minimum: number, maximum: number): number {
  return Math.min(Math.max(value, minimum), maximum)
}
