/** torch's CPU generator: the same seed gives the same noise as `torch.randn(..., generator=torch.Generator().manual_seed(seed))`. */
import { boxMullerBlock } from './box-muller.ts'
import { MersenneTwister } from './mersenne-twister.ts'

/** Draws normal numbers. The state goes on from draw to draw, so their order and sizes matter. */
export interface RandomGenerator {
  /**
   * The next `torch.randn` of that many elements in float32, whatever its shape.
   * Bit for bit what torch gives on x86 with AVX2; torch itself differs in the last bits on other machines.
   */
  normal(count: number): Float32Array<ArrayBuffer>
  /**
   * The same draw, of which only parts are looked at: the rest is not worked out, but the state goes on as far.
   * @param parts in ascending order
   */
  normalParts(count: number, parts: readonly ElementRange[]): Float32Array[]
}

/** Elements `start .. end - 1` of a draw. */
export interface ElementRange {
  readonly start: number
  readonly end: number
}

/** From this many elements on torch fills whole blocks; fewer are drawn one by one, in double precision. */
const BLOCK = 16

/**
 * @param seed as for `manual_seed`, -2^63..2^64-1; only its lower 32 bits count, as in torch (negative seeds in two's complement)
 */
export function createGenerator(seed: number | bigint): RandomGenerator {
  const words = new MersenneTwister(Number(BigInt.asUintN(32, BigInt(seed))))
  let cached: number | undefined

  /** 53 random bits in [0, 1): the lower 53 of two words, the first on top. */
  const uniformDouble = (): number => {
    const high = words.next() & 0x1fffff
    return (high * 0x100000000 + words.next()) / 0x20000000000000
  }

  /** Box-Muller, one pair a time; the second of a pair waits for the next call, even across draws. */
  const normalDouble = (): number => {
    if (cached !== undefined) {
      const value = cached
      cached = undefined
      return value
    }
    const angle = 2 * Math.PI * uniformDouble()
    const radius = Math.sqrt(-2 * Math.log1p(-uniformDouble()))
    cached = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }

  /** Elements `start .. end - 1` of a draw, all of them in whole blocks. */
  const blocks = (start: number, end: number): Float32Array<ArrayBuffer> => {
    const values = new Float32Array(end - start)
    words.fillUniform(values, 0, values.length)
    for (let block = 0; block < values.length; block += BLOCK) boxMullerBlock(values, block)
    return values
  }

  const normal = (count: number): Float32Array<ArrayBuffer> => {
    if (count < BLOCK) return Float32Array.from({ length: count }, normalDouble)
    const rest = count % BLOCK
    if (rest === 0) return blocks(0, count)
    // The rest does not fill a block: the last sixteen are drawn anew, those that were done already as well.
    const values = new Float32Array(count)
    values.set(blocks(0, count - rest))
    words.skip(rest)
    values.set(blocks(count - BLOCK, count), count - BLOCK)
    return values
  }

  return {
    normal,
    normalParts: (count, parts) => {
      if (count % BLOCK !== 0) {
        const values = normal(count)
        return parts.map(({ start, end }) => values.subarray(start, end))
      }
      let place = 0
      const drawn = joinedBlocks(parts).map(({ start, end }) => {
        words.skip(start - place)
        place = end
        return { start, end, values: blocks(start, end) }
      })
      words.skip(count - place)
      return parts.map((part) => {
        const found = drawn.find(({ start, end }) => start <= part.start && part.end <= end)
        if (found === undefined)
          throw new RangeError(`A draw of ${count} has no elements ${part.start} to ${part.end}.`)
        return found.values.subarray(part.start - found.start, part.end - found.start)
      })
    },
  }
}

/** The blocks that ascending ranges touch, those that meet joined. */
function joinedBlocks(ranges: readonly ElementRange[]): ElementRange[] {
  const joined: ElementRange[] = []
  for (const range of ranges) {
    const start = Math.floor(range.start / BLOCK) * BLOCK
    const end = Math.ceil(range.end / BLOCK) * BLOCK
    const last = joined.at(-1)
    if (last !== undefined && start <= last.end)
      joined[joined.length - 1] = { start: last.start, end: Math.max(last.end, end) }
    else joined.push({ start, end })
  }
  return joined
}
