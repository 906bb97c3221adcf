/** Reads `spiece.model`: a SentencePiece ModelProto, of which only the few fields that tokenising needs are looked at. */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'

/** One piece of the vocabulary; its id is its place in the list. */
export interface Piece {
  readonly text: string
  /** Log probability. */
  readonly score: number
}

export interface SentencePieceModel {
  readonly pieces: readonly Piece[]
  /** 1 is Unigram, the only kind that T5 uses; 2 BPE, 3 word, 4 char. */
  readonly modelType: number
  /** The normaliser's compiled rules; empty when the model does not normalise. */
  readonly charsmap: Uint8Array
}

/** Field numbers of sentencepiece's `sentencepiece_model.proto`. */
const MODEL = { pieces: 1, trainerSpec: 2, normalizerSpec: 3 } as const
const PIECE = { text: 1, score: 2 } as const
const TRAINER_SPEC = { modelType: 3 } as const
const NORMALIZER_SPEC = { charsmap: 2 } as const

/**
 * @param bytes the whole file
 * @throws RangeError or Error from the protobuf reader when the bytes are no ModelProto
 */
export function parseSentencePieceModel(bytes: Uint8Array): SentencePieceModel {
  const pieces: Piece[] = []
  let modelType = 1
  let charsmap: Uint8Array = new Uint8Array()
  readFields(bytes, (field, reader) => {
    if (field === MODEL.pieces) pieces.push(parsePiece(reader.bytes()))
    else if (field === MODEL.trainerSpec) modelType = parseModelType(reader.bytes())
    else if (field === MODEL.normalizerSpec) charsmap = parseCharsmap(reader.bytes())
    else return false
    return true
  })
  return { pieces, modelType, charsmap }
}

function parsePiece(bytes: Uint8Array): Piece {
  let text = ''
  let score = 0
  readFields(bytes, (field, reader) => {
    if (field === PIECE.text) text = reader.string()
    else if (field === PIECE.score) score = reader.float()
    else return false
    return true
  })
  return { text, score }
}

function parseModelType(bytes: Uint8Array): number {
  let modelType = 1
  readFields(bytes, (field, reader) => {
    if (field !== TRAINER_SPEC.modelType) return false
    modelType = reader.int32()
    return true
  })
  return modelType
}

function parseCharsmap(bytes: Uint8Array): Uint8Array {
  let charsmap: Uint8Array = new Uint8Array()
  readFields(bytes, (field, reader) => {
    if (field !== NORMALIZER_SPEC.charsmap) return false
    charsmap = reader.bytes()
    return true
  })
  return charsmap
}

/** Calls `take` for each field; it returns false for those it leaves unread. */
function readFields(bytes: Uint8Array, take: (field: number, reader: BinaryReader) => boolean): void {
  const reader = new BinaryReader(bytes)
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag()
    if (wireType === WireType.EndGroup || !take(field, reader)) reader.skip(wireType, field)
  }
}
