/** torch's CPU generator: the same seed gives the same noise as `torch.randn(..., generator=torch.Generator().manual_seed(seed))`. */
import { boxMuller } from './box-muller.ts'

/** Draws normal numbers. The state goes on from draw to draw, so their order and sizes matter. */
export interface RandomGenerator {
  /**
   * The next `torch.randn` of that many elements in float32, whatever its shape.
   * Bit for bit what torch gives on x86 with AVX2; torch itself differs in the last bits on other machines.
   */
  normal(count: number): Float32Array<ArrayBuffer>
}

/** From this many elements on torch fills whole blocks; fewer are drawn one by one, in double precision. */
const BLOCK = 16
const HALF_BLOCK = BLOCK / 2

/**
 * @param seed as for `manual_seed`, -2^63..2^64-1; only its lower 32 bits count, as in torch (negative seeds in two's complement)
 */
export function createGenerator(seed: number | bigint): RandomGenerator {
  const next = mersenneTwister(Number(BigInt.asUintN(32, BigInt(seed))))
  let cached: number | undefined

  /** 24 random bits in [0, 1). */
  const uniform = (): number => (next() & 0xffffff) / 0x1000000
  /** 53 random bits in [0, 1): the lower 53 of two words, the first on top. */
  const uniformDouble = (): number => {
    const high = next() & 0x1fffff
    return (high * 0x100000000 + next()) / 0x20000000000000
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

  /** Within a block, element i is paired with element i + 8. */
  const transformBlock = (values: Float32Array, start: number): void => {
    for (let index = start; index < start + HALF_BLOCK; index++) {
      boxMuller(values[index]!, values[index + HALF_BLOCK]!, values, index)
    }
  }

  return {
    normal: (count) => {
      if (count < BLOCK) return Float32Array.from({ length: count }, normalDouble)
      const values = Float32Array.from({ length: count }, uniform)
      for (let start = 0; start + BLOCK <= count; start += BLOCK) transformBlock(values, start)
      if (count % BLOCK !== 0) {
        // The rest does not fill a block: the last sixteen are drawn anew, those that were done already as well.
        for (let index = count - BLOCK; index < count; index++) values[index] = uniform()
        transformBlock(values, count - BLOCK)
      }
      return values
    },
  }
}

/** MT19937 of Matsumoto and Nishimura, seeded as its `init_genrand`. Each call gives the next 32 bits. */
function mersenneTwister(seed: number): () => number {
  const SIZE = 624
  const MIDDLE = 397
  const state = new Uint32Array(SIZE)
  state[0] = seed
  for (let index = 1; index < SIZE; index++) {
    const before = state[index - 1]!
    state[index] = Math.imul(before ^ (before >>> 30), 1812433253) + index
  }
  let position = SIZE

  const refill = (): void => {
    for (let index = 0; index < SIZE; index++) {
      const word = (state[index]! & 0x80000000) | (state[(index + 1) % SIZE]! & 0x7fffffff)
      state[index] = state[(index + MIDDLE) % SIZE]! ^ (word >>> 1) ^ (word & 1 ? 0x9908b0df : 0)
    }
    position = 0
  }

  return () => {
    if (position === SIZE) refill()
    let word = state[position++]!
    word ^= word >>> 11
    word ^= (word << 7) & 0x9d2c5680
    word ^= (word << 15) & 0xefc60000
    return (word ^ (word >>> 18)) >>> 0
  }
}
