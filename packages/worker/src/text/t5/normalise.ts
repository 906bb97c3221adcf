/**
 * SentencePiece's precompiled normaliser (nmt_nfkc for T5): a double-array trie from UTF-8 to the offset of a replacement.
 *
 * It follows the `Precompiled` normaliser of Hugging Face's tokenizers, which transformers' T5Tokenizer uses: a grapheme of fewer than
 * six bytes is looked up whole, any other character by character, and the SHORTEST matching rule wins. The sentencepiece library
 * itself takes the longest match; the two differ in rare sequences of combining marks (docs/decisions/0051-tokenizer.md).
 */
export type Normalise = (text: string) => string

const GRAPHEME_BYTES = 6

/**
 * @param charsmap `normalizer_spec.precompiled_charsmap`: the trie's size in bytes, the trie, then NUL-terminated replacements
 * @returns the identity when the model has no rules
 * @throws RangeError when the rules are cut short
 */
export function createNormaliser(charsmap: Uint8Array): Normalise {
  if (charsmap.length === 0) return (text) => text
  const { trie, replacements } = readCharsmap(charsmap)
  const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })
  const encoder = new TextEncoder()

  const normaliseGrapheme = (grapheme: string): string => {
    const bytes = encoder.encode(grapheme)
    const whole = bytes.length < GRAPHEME_BYTES ? shortestMatch(trie, bytes) : -1
    if (whole >= 0) return replacementAt(replacements, whole)
    let normalised = ''
    for (const character of grapheme) {
      const found = shortestMatch(trie, encoder.encode(character))
      normalised += found >= 0 ? replacementAt(replacements, found) : character
    }
    return normalised
  }

  return (text) => {
    let normalised = ''
    for (const { segment } of graphemes.segment(text)) normalised += normaliseGrapheme(segment)
    return normalised
  }
}

function readCharsmap(charsmap: Uint8Array): { trie: Uint32Array; replacements: Uint8Array } {
  const view = new DataView(charsmap.buffer, charsmap.byteOffset, charsmap.byteLength)
  const trieBytes = view.getUint32(0, true)
  if (4 + trieBytes > charsmap.length) throw new RangeError('its normalisation rules are cut short')
  const trie = new Uint32Array(trieBytes / 4)
  for (let index = 0; index < trie.length; index++) trie[index] = view.getUint32(4 + index * 4, true)
  return { trie, replacements: charsmap.subarray(4 + trieBytes) }
}

/**
 * Walks the double array (Darts-clone's unit layout: label in bits 0-7 and 31, leaf flag in bit 8, offset from bit 10 on).
 * @returns where the replacement of the shortest matching prefix begins, or -1
 */
function shortestMatch(trie: Uint32Array, bytes: Uint8Array): number {
  let node = offsetOf(trie[0]!)
  for (const byte of bytes) {
    node ^= byte
    const unit = trie[node]
    // A place beyond the array is one that no rule leads to.
    if (unit === undefined || (unit & 0x800000ff) !== byte || byte === 0) return -1
    node ^= offsetOf(unit)
    if ((unit >>> 8) & 1) return leafOf(trie, node)
  }
  return -1
}

function leafOf(trie: Uint32Array, node: number): number {
  const leaf = trie[node]
  if (leaf === undefined) throw new RangeError('its normalisation rules point beyond their end')
  return leaf & 0x7fffffff
}

function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6)
}

function replacementAt(replacements: Uint8Array, start: number): string {
  const end = replacements.indexOf(0, start)
  return new TextDecoder().decode(replacements.subarray(start, end < 0 ? replacements.length : end))
}
