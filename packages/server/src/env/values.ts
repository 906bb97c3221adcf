/** Reads environment variables one by one and remembers everything that is wrong, so that one line can name it all. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Why a start is refused: the message names every missing and every invalid variable in one line, and holds no values of secrets. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError'
  readonly missing: readonly string[]
  readonly invalid: readonly string[]

  constructor(missing: readonly string[], invalid: readonly string[]) {
    const parts = [
      ...(missing.length > 0 ? [`missing ${missing.join(', ')}`] : []),
      ...(invalid.length > 0 ? [`invalid ${invalid.join('; ')}`] : []),
    ]
    super(`Cannot start, environment variables are not right: ${parts.join('; ')}`)
    this.missing = missing
    this.invalid = invalid
  }
}

export function createReader(environment: Environment, defaults: Environment = {}) {
  const missing: string[] = []
  const invalid: string[] = []

  /** The first of the names that is set to something, or else its default. */
  function text(...names: readonly string[]): string | undefined {
    for (const source of [environment, defaults]) {
      for (const name of names) {
        const value = source[name]?.trim()
        if (value) return value
      }
    }
    return undefined
  }

  function parsed<T>(name: string, parse: (value: string) => T | null, fallback: T, expected: string): T {
    const value = text(name)
    if (value === undefined) return fallback
    const result = parse(value)
    if (result !== null) return result
    invalid.push(`${name} (${expected})`)
    return fallback
  }

  return {
    text,
    missing: (name: string) => void missing.push(name),
    invalid: (problem: string) => void invalid.push(problem),
    required(...names: readonly string[]): string {
      const value = text(...names)
      if (value === undefined) missing.push(names.join(' or '))
      return value ?? ''
    },
    integer: (name: string, fallback: number, range: { min: number; max: number }): number =>
      parsed(
        name,
        (value) => {
          const number = Number(value)
          return /^\d+$/.test(value) && number >= range.min && number <= range.max ? number : null
        },
        fallback,
        `give a whole number from ${range.min} to ${range.max}`,
      ),
    /** Seconds; `30m`, `24h` and `7d` are understood, and `off` or `0` is undefined. */
    duration: (name: string): number | undefined =>
      parsed<number | undefined>(name, parseDuration, undefined, 'give seconds, or a time such as 30m, 24h or 7d'),
    url(name: string, protocols: readonly string[]): string | undefined {
      const value = text(name)
      if (value === undefined) return undefined
      if (URL.canParse(value) && protocols.includes(new URL(value).protocol.slice(0, -1))) return value
      invalid.push(`${name} (give a URL that begins with ${protocols.map((one) => `${one}://`).join(' or ')})`)
      return undefined
    },
    oneOf: <T extends string>(name: string, values: readonly T[], fallback: T): T =>
      parsed(
        name,
        (value) => values.find((one) => one === value) ?? null,
        fallback,
        `give one of ${values.join(', ')}`,
      ),
    list: (name: string): string[] =>
      (text(name) ?? '')
        .split(',')
        .map((one) => one.trim())
        .filter((one) => one !== ''),
    /** @throws EnvironmentError when anything was missing or invalid */
    finish(): void {
      if (missing.length > 0 || invalid.length > 0) throw new EnvironmentError(missing, invalid)
    },
  }
}

export type Reader = ReturnType<typeof createReader>

const UNITS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 }

function parseDuration(value: string): number | undefined | null {
  if (value === 'off' || value === '0') return undefined
  const match = /^(\d{1,10})([smhd]?)$/.exec(value)
  return match ? Number(match[1]) * UNITS[match[2]!]! : null
}
