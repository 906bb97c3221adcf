/** T5's tokenizer, from the checkpoint's `tokenizer/` folder: the same ids as transformers' T5Tokenizer. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EngineError } from '../../failure.ts'
import { createNormaliser } from './normalise.ts'
import { parseSentencePieceModel, type Piece, type SentencePieceModel } from './sentencepiece-model.ts'
import { createUnigram } from './unigram.ts'

/** SentencePiece's visible space: stands at the beginning of each word. */
const WORD_START = '\u2581'
/** Unicode's White_Space, which is not quite what `\s` matches. */
const WHITESPACE = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/u
const UNIGRAM = 1

/** A prompt as the text encoder takes it. */
export interface PaddedTokens {
  /** `[maxLength]`, padded at the end. */
  readonly ids: number[]
  /** `[maxLength]`, 1 for a token, 0 for padding. */
  readonly mask: number[]
}

export interface Tokenizer {
  /** How many ids there are, the special tokens included. */
  readonly size: number
  /** The text's ids with `</s>` at the end; neither padded nor cut. */
  encode(text: string): number[]
  /** The text's ids, cut so that `</s>` is the last of at most `maxLength`, and padded to exactly that many. */
  encodePadded(text: string, maxLength: number): PaddedTokens
}

export interface TokenizerOptions {
  /** How many `<extra_id_N>` follow the model's own pieces, the highest N first. Default: 100. */
  readonly extraIds?: number
  /** Default: `</s>`. */
  readonly endToken?: string
  /** Default: `<pad>`. */
  readonly padToken?: string
  /** Default: `<unk>`. */
  readonly unknownToken?: string
}

/**
 * Loads `spiece.model` and, where present, `tokenizer_config.json`.
 * @param folder the checkpoint's `tokenizer/`
 * @throws EngineError `model_broken` that names the file
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const file = join(folder, 'spiece.model')
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new EngineError('model_broken', `${file} cannot be read. Get the tokenizer with \`kinora models pull\`.`, {
      cause,
    })
  })
  try {
    return createTokenizer(bytes, await readConfig(folder))
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new EngineError(
      'model_broken',
      `${file} is no tokenizer that Kinora can use: ${reason}. Get it again with \`kinora models pull\`.`,
      { cause },
    )
  }
}

/**
 * @param model the bytes of a SentencePiece model of the Unigram kind
 * @throws Error when they are not, or when a special token is missing
 */
export function createTokenizer(model: Uint8Array, options: TokenizerOptions = {}): Tokenizer {
  const { endToken = '</s>', padToken = '<pad>', unknownToken = '<unk>', extraIds = 100 } = options
  const { pieces, charsmap, modelType }: SentencePieceModel = parseSentencePieceModel(model)
  if (pieces.length === 0) throw new Error('it has no vocabulary')
  if (modelType !== UNIGRAM) throw new Error(`it is a SentencePiece model of type ${modelType}, not Unigram`)
  const vocabulary = [...pieces, ...extraPieces(extraIds)]
  const idOf = new Map(vocabulary.map((piece, id) => [piece.text, id]))
  const idOfSpecial = (token: string): number => {
    const id = idOf.get(token)
    if (id === undefined) throw new Error(`its vocabulary lacks ${token}`)
    return id
  }
  const endId = idOfSpecial(endToken)
  const padId = idOfSpecial(padToken)
  const unknownId = idOfSpecial(unknownToken)
  const special = splitter([endToken, padToken, unknownToken, ...extraPieces(extraIds).map((piece) => piece.text)])
  const normalise = createNormaliser(charsmap)
  const unigram = createUnigram(vocabulary, unknownId)

  // Special tokens are found in the text as it was written; what lies between them is normalised and cut into words.
  const encodeWithoutEnd = (text: string): number[] =>
    text
      .split(special)
      .flatMap((part, index) => (index % 2 === 1 ? [idOfSpecial(part)] : words(normalise(part)).flatMap(unigram)))

  return {
    size: vocabulary.length,
    encode: (text) => [...encodeWithoutEnd(text), endId],
    encodePadded: (text, maxLength) => {
      const ids = [...encodeWithoutEnd(text).slice(0, Math.max(0, maxLength - 1)), endId]
      const padding = Array.from({ length: Math.max(0, maxLength - ids.length) }, () => padId)
      return { ids: [...ids, ...padding], mask: [...ids.map(() => 1), ...padding.map(() => 0)] }
    },
  }
}

async function readConfig(folder: string): Promise<TokenizerOptions> {
  const text = await readFile(join(folder, 'tokenizer_config.json'), 'utf8').catch(() => '{}')
  const parsed: unknown = JSON.parse(text)
  if (typeof parsed !== 'object' || parsed === null) throw new Error('tokenizer_config.json is not an object')
  const config: Record<string, unknown> = { ...parsed }
  const endToken = tokenText(config.eos_token)
  const padToken = tokenText(config.pad_token)
  const unknownToken = tokenText(config.unk_token)
  return {
    ...(typeof config.extra_ids === 'number' && { extraIds: config.extra_ids }),
    ...(endToken !== undefined && { endToken }),
    ...(padToken !== undefined && { padToken }),
    ...(unknownToken !== undefined && { unknownToken }),
  }
}

/** A token in a config is its text, or an object with the text as `content`. */
function tokenText(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  const content = typeof value === 'object' && value !== null && 'content' in value ? value.content : undefined
  return typeof content === 'string' ? content : undefined
}

function extraPieces(count: number): Piece[] {
  return Array.from({ length: count }, (_, index) => ({ text: `<extra_id_${count - 1 - index}>`, score: 0 }))
}

/** Matches the special tokens, the longest first, and keeps them when it splits. */
function splitter(tokens: readonly string[]): RegExp {
  const escaped = tokens
    .toSorted((a, b) => b.length - a.length)
    .map((token) => token.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&'))
  return new RegExp(`(${escaped.join('|')})`, 'u')
}

/** Each word with the visible space in front; one that is written in the text begins a word as well. */
function words(text: string): string[] {
  return text
    .split(WHITESPACE)
    .filter((word) => word !== '')
    .flatMap((word) => (word.startsWith(WORD_START) ? word : WORD_START + word).split(/(?=\u2581)/u))
}
