/** MT19937 of Matsumoto and Nishimura, seeded as its `init_genrand`. */

const size = 624
const middle = 397

/** Goes through a stream of 32-bit words. Its loops are written out: noise takes millions of words a step. */
export class MersenneTwister {
  readonly #state = new Int32Array(size)
  #position = size

  constructor(seed: number) {
    const state = this.#state
    state[0] = seed
    for (let index = 1; index < size; index++) {
      const before = state[index - 1]!
      state[index] = Math.imul(before ^ (before >>> 30), 1812433253) + index
    }
  }

  /** The next word, 0..2^32 - 1. */
  next(): number {
    if (this.#position === size) this.#refill()
    return temper(this.#state[this.#position++]!) >>> 0
  }

  /** The next `end - start` words as numbers in [0, 1): their lower 24 bits, as torch makes floats of them. */
  fillUniform(target: Float32Array, start: number, end: number): void {
    const state = this.#state
    let index = start
    while (index < end) {
      if (this.#position === size) this.#refill()
      const from = this.#position
      const count = Math.min(size - from, end - index)
      for (let offset = 0; offset < count; offset++)
        target[index + offset] = (temper(state[from + offset]!) & 0xffffff) / 0x1000000
      this.#position = from + count
      index += count
    }
  }

  /** Goes on by so many words, of which nobody needs to know. */
  skip(words: number): void {
    let left = words
    while (left > 0) {
      if (this.#position === size) this.#refill()
      const count = Math.min(size - this.#position, left)
      this.#position += count
      left -= count
    }
  }

  #refill(): void {
    const state = this.#state
    let own = state[0]!
    for (let index = 0; index < size - middle; index++) {
      const next = state[index + 1]!
      state[index] = state[index + middle]! ^ twist(own, next)
      own = next
    }
    for (let index = size - middle; index < size - 1; index++) {
      const next = state[index + 1]!
      state[index] = state[index + middle - size]! ^ twist(own, next)
      own = next
    }
    state[size - 1] = state[middle - 1]! ^ twist(own, state[0]!)
    this.#position = 0
  }
}

function twist(own: number, next: number): number {
  return (((own & 0x80000000) | (next & 0x7fffffff)) >>> 1) ^ (-(next & 1) & 0x9908b0df)
}

function temper(state: number): number {
  let word = state
  word ^= word >>> 11
  word ^= (word << 7) & 0x9d2c5680
  word ^= (word << 15) & 0xefc60000
  return word ^ (word >>> 18)
}
