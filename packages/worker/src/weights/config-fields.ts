/** Reads one config of a checkpoint field by field; what is missing gets the library's default, what is wrong is named. */

import { readFile } from 'node:fs/promises'
import { EngineError } from '../failure.ts'

export class Fields {
  /** The file, or the part of a file, that errors name. */
  readonly source: string
  readonly #values: Readonly<Record<string, unknown>>

  /** @throws EngineError `bad_config` if `value` is not an object */
  constructor(source: string, value: unknown) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw badConfig(source, 'is not a JSON object')
    this.source = source
    this.#values = { ...value }
  }

  has(key: string): boolean {
    return this.#values[key] !== undefined && this.#values[key] !== null
  }

  raw(key: string): unknown {
    return this.#values[key]
  }

  /** All fields as they are. */
  all(): Readonly<Record<string, unknown>> {
    return this.#values
  }

  /** A nested object. */
  fields(key: string): Fields {
    return new Fields(`${this.source}: ${key}`, this.#values[key])
  }

  /** A value found inside this config, for instance in a list. */
  nested(what: string, value: unknown): Fields {
    return new Fields(`${this.source}: ${what}`, value)
  }

  number(key: string, fallback?: number): number {
    return this.#read(key, fallback, isNumber, 'a number')
  }

  boolean(key: string, fallback?: boolean): boolean {
    return this.#read(key, fallback, isBoolean, 'true or false')
  }

  string(key: string, fallback?: string): string {
    return this.#read(key, fallback, isString, 'a string')
  }

  numbers(key: string, fallback?: readonly number[]): readonly number[] {
    return this.#read(key, fallback, isListOf(isNumber), 'a list of numbers')
  }

  booleans(key: string, fallback?: readonly boolean[]): readonly boolean[] {
    return this.#read(key, fallback, isListOf(isBoolean), 'a list of true and false')
  }

  strings(key: string, fallback?: readonly string[]): readonly string[] {
    return this.#read(key, fallback, isListOf(isString), 'a list of strings')
  }

  /** Refuses a checkpoint whose field has another value than the ones this engine can compute. Missing is fine. */
  only(key: string, ...allowed: readonly (string | number | boolean)[]): void {
    const value = this.#values[key]
    if (value === undefined || value === null || allowed.some((one) => one === value)) return
    throw new EngineError(
      'unsupported_checkpoint',
      `${this.source} says ${key} = ${JSON.stringify(value)}, which the ltx engine does not know (it knows ${allowed.join(', ')}). Use another checkpoint or a newer Kinora.`,
    )
  }

  #read<T>(key: string, fallback: T | undefined, is: (value: unknown) => value is T, what: string): T {
    const value = this.#values[key]
    if (is(value)) return value
    if ((value === undefined || value === null) && fallback !== undefined) return fallback
    throw badConfig(
      this.source,
      value === undefined ? `has no ${key}` : `has ${key} = ${JSON.stringify(value)}, which is not ${what}`,
    )
  }
}

/** @throws EngineError `bad_config` where it is not JSON; the file system's own error where it is missing */
export async function readFields(file: string): Promise<Fields> {
  const text = await readFile(file, 'utf8')
  return parseFields(file, text)
}

/** @throws EngineError `bad_config` */
export function parseFields(source: string, text: string): Fields {
  try {
    return new Fields(source, JSON.parse(text))
  } catch (cause) {
    if (cause instanceof EngineError) throw cause
    throw badConfig(source, 'is not valid JSON', cause)
  }
}

function badConfig(source: string, problem: string, cause?: unknown): EngineError {
  return new EngineError(
    'bad_config',
    `${source} ${problem}. The checkpoint is damaged or of another kind; download it again.`,
    { cause },
  )
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function isBoolean(value: unknown): value is boolean {
  return typeof value === 'boolean'
}

function isString(value: unknown): value is string {
  return typeof value === 'string'
}

function isListOf<T>(is: (value: unknown) => value is T): (value: unknown) => value is readonly T[] {
  return (value): value is readonly T[] => Array.isArray(value) && value.every(is)
}
