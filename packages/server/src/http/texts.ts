/** The texts in what was sent, wherever they stand: a store that cannot keep one of them would refuse the whole, or a part of it, later. */
import { isStorableText, storableText } from '@kinora/protocol'
import { ApiError } from '../api-error.ts'

/** Objects and arrays inside each other. What JSON can hold besides would exhaust the stack of whoever reads it. */
const DEEPEST = 64

/** @throws ApiError `invalid_request` naming the first text with NUL or half a surrogate pair in it, and for what is nested too deeply */
export function refuseUnstorable(value: unknown): void {
  visit(value, (text, path) => {
    if (isStorableText(text)) return text
    const message = 'must have no NUL and no half of a surrogate pair'
    throw new ApiError('invalid_request', `The request is not valid: ${path} ${message}.`, {
      issues: [{ path, message }],
    })
  })
}

/** The same with U+FFFD for what cannot be kept: a worker's report is not lost for a letter. @throws ApiError `invalid_request` for what is nested too deeply */
export function withStorableTexts(value: unknown): unknown {
  return visit(value, (text) => storableText(text))
}

function visit(value: unknown, text: (text: string, path: string) => string, path = '', depth = 0): unknown {
  if (typeof value === 'string') return text(value, path)
  if (typeof value !== 'object' || value === null || value instanceof Blob) return value
  if (depth === DEEPEST) {
    const message = `must have at most ${DEEPEST} levels`
    throw new ApiError('invalid_request', `The request is not valid: it ${message}.`, { issues: [{ path, message }] })
  }
  const at = (name: string | number): string => (path === '' ? String(name) : `${path}.${name}`)
  if (Array.isArray(value)) return value.map((item, index) => visit(item, text, at(index), depth + 1))
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      text(name, at(storableText(name))),
      visit(item, text, at(storableText(name)), depth + 1),
    ]),
  )
}
