/** The Unigram model: splits a word into the pieces whose log probabilities add up to the most (Viterbi). */
import type { Piece } from './sentencepiece-model.ts'

/** What an unknown character costs below the rarest piece, as sentencepiece and tokenizers have it. */
const UNKNOWN_PENALTY = 10

/** A word of normalised text → the ids of its pieces. */
export type Unigram = (word: string) => number[]

/**
 * @param pieces the vocabulary; of two pieces with the same text the later counts
 * @param unknownId what stands for a run of characters that no piece covers
 */
export function createUnigram(pieces: readonly Piece[], unknownId: number): Unigram {
  const idOf = new Map(pieces.map((piece, id) => [piece.text, id]))
  const longest = pieces.reduce((most, piece) => Math.max(most, piece.text.length), 1)
  const lowest = pieces.reduce((least, piece) => Math.min(least, piece.score), Infinity)
  const unknownScore = lowest - UNKNOWN_PENALTY

  return (word) => {
    // For each place in the word: the best way to get there, as its score, its last piece, and where that piece begins.
    const score = new Float64Array(word.length + 1)
    const begin = new Int32Array(word.length + 1).fill(-1)
    const last = new Int32Array(word.length + 1)
    const offer = (from: number, to: number, id: number, added: number): void => {
      const total = score[from]! + added
      if (begin[to] !== -1 && total <= score[to]!) return
      score[to] = total
      begin[to] = from
      last[to] = id
    }

    for (let from = 0; from < word.length;) {
      const character = word.codePointAt(from)! > 0xffff ? 2 : 1
      let covered = false
      for (let to = from + character; to <= word.length && to - from <= longest; to++) {
        const id = idOf.get(word.slice(from, to))
        if (id === undefined) continue
        offer(from, to, id, pieces[id]!.score)
        covered ||= to === from + character
      }
      if (!covered) offer(from, from + character, unknownId, unknownScore)
      from += character
    }
    return walkBack(begin, last, word.length, unknownId)
  }
}

/** Neighbouring unknown characters count as one unknown token. */
function walkBack(begin: Int32Array, last: Int32Array, length: number, unknownId: number): number[] {
  const ids: number[] = []
  for (let end = length; end > 0; end = begin[end]!) {
    const id = last[end] ?? unknownId
    if (id !== unknownId || ids.at(-1) !== unknownId) ids.push(id)
  }
  return ids.toReversed()
}
