/** What is wrong with a value, in words that say what to write instead. zod/mini by itself says "Invalid input" to everything. */

/** The parts of zod's issues that the words are made of. */
interface RawIssue {
  readonly code?: string | undefined
  readonly input?: unknown
  readonly expected?: unknown
  readonly origin?: unknown
  readonly minimum?: unknown
  readonly maximum?: unknown
  readonly divisor?: unknown
  readonly values?: unknown
  readonly format?: unknown
  readonly prefix?: unknown
}

/** Given to a schema or check as its last parameter: `z.string(explained)`. */
export const explained = { error: explain }

/** @returns words that follow the field's name, or undefined where zod's own must do */
export function explain(issue: RawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined
        ? `is missing: give ${withArticle(issue.expected)}`
        : `must be ${withArticle(issue.expected)}, not ${describe(issue.input)}`
    case 'too_small':
      return `must ${sized(issue, 'at least', issue.minimum)}`
    case 'too_big':
      return `must ${sized(issue, 'at most', issue.maximum)}`
    case 'not_multiple_of':
      return `must be a multiple of ${String(issue.divisor)}${nearest(issue.input, issue.divisor)}`
    case 'invalid_value':
      return Array.isArray(issue.values)
        ? `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map((value) => JSON.stringify(value)).join(', ')}`
        : undefined
    case 'invalid_format':
      return invalidFormat(issue)
    default:
      return undefined
  }
}

function withArticle(expected: unknown): string {
  const name = expected === 'int' ? 'whole number' : expected === 'record' ? 'object' : String(expected)
  return `${/^[aeiou]/.test(name) ? 'an' : 'a'} ${name}`
}

function describe(input: unknown): string {
  if (input === null || typeof input === 'number' || typeof input === 'boolean') return String(input)
  if (Array.isArray(input)) return 'an array'
  return typeof input === 'string' ? `the text ${JSON.stringify(input.slice(0, 40))}` : withArticle(typeof input)
}

function sized({ origin, input }: RawIssue, bound: string, limit: unknown): string {
  if (origin === 'string')
    return `have ${bound} ${String(limit)} characters${typeof input === 'string' ? `, not ${input.length}` : ''}`
  return `be ${bound} ${String(limit)}${typeof input === 'number' ? `, not ${input}` : ''}`
}

function nearest(input: unknown, divisor: unknown): string {
  if (typeof input !== 'number' || typeof divisor !== 'number') return ''
  return `, such as ${Math.max(divisor, Math.round(input / divisor) * divisor)} instead of ${input}`
}

function invalidFormat({ format, prefix }: RawIssue): string | undefined {
  if (format === 'datetime') return 'must be a time as ISO 8601 in UTC, such as "2026-03-14T09:26:53.000Z"'
  if (format === 'url') return 'must be a complete URL'
  if (format === 'uuid') return 'must be a UUID'
  return format === 'starts_with' ? `must start with ${JSON.stringify(prefix)}` : undefined
}
