/** Remembers what a text encoder made of the last prompts: the negative one comes with every job, and people try one prompt with many seeds. */

/** What was encoded must say how much memory it holds. */
interface Sized {
  readonly embeddings: { readonly data: { readonly byteLength: number } }
}

/** 16 prompts of 256 tokens from T5-XXL. */
const defaultLimit = 64 * 2 ** 20

/** The least recently used are forgotten first. One cache belongs to one encoder, at one precision: its key is the text and what else decides. */
export class EmbeddingCache<Encoded extends Sized> {
  readonly #limit: number
  /** In the order of their last use. */
  readonly #known = new Map<string, Encoded>()
  #bytes = 0

  /** @param limit bytes of embeddings that are kept. Default: 64 MiB */
  constructor(limit: number = defaultLimit) {
    this.#limit = limit
  }

  /** What `encode` gave for this key before, or gives now. What fails is not remembered. */
  async get(key: string, encode: () => Promise<Encoded>): Promise<Encoded> {
    const known = this.#known.get(key)
    if (known !== undefined) {
      this.#known.delete(key)
      this.#known.set(key, known)
      return known
    }
    const encoded = await encode()
    this.#forget(key)
    this.#known.set(key, encoded)
    this.#bytes += sizeOf(encoded)
    for (const oldest of this.#known.keys()) {
      if (this.#bytes <= this.#limit) break
      this.#forget(oldest)
    }
    return encoded
  }

  #forget(key: string): void {
    const known = this.#known.get(key)
    if (known === undefined) return
    this.#known.delete(key)
    this.#bytes -= sizeOf(known)
  }
}

function sizeOf({ embeddings }: Sized): number {
  return embeddings.data.byteLength
}
