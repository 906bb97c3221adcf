/** How far two lists of numbers are apart. */

export interface Difference {
  /** The largest absolute difference. */
  readonly worst: number
  /** The mean absolute difference. */
  readonly mean: number
  /** Root mean square of the difference by that of the reference. */
  readonly relative: number
  /** Peak signal to noise ratio in decibels for values of 0..1; infinite where nothing differs. */
  readonly psnr: number
}

/** @throws RangeError where the lengths differ */
export function compare(actual: ArrayLike<number>, expected: ArrayLike<number>): Difference {
  if (actual.length !== expected.length) throw new RangeError(`${actual.length} values against ${expected.length}.`)
  let worst = 0
  let sum = 0
  let squares = 0
  let reference = 0
  for (let index = 0; index < expected.length; index++) {
    const value = expected[index]!
    const difference = Math.abs(actual[index]! - value)
    // A NaN compares with nothing: it must count as the worst, not be skipped.
    worst = Number.isNaN(difference) ? Infinity : Math.max(worst, difference)
    sum += difference
    squares += difference ** 2
    reference += value ** 2
  }
  const count = Math.max(1, expected.length)
  return {
    worst,
    mean: sum / count,
    relative: reference === 0 ? Math.sqrt(squares / count) : Math.sqrt(squares / reference),
    psnr: -10 * Math.log10(squares / count),
  }
}

/** What must hold. Missing bounds are not looked at. */
export interface Bound {
  readonly worst?: number
  readonly mean?: number
  readonly relative?: number
  readonly psnr?: number
}

export function isWithin(difference: Difference, bound: Bound): boolean {
  const { worst = Infinity, mean = Infinity, relative = Infinity, psnr = -Infinity } = bound
  return (
    difference.worst <= worst && difference.mean <= mean && difference.relative <= relative && difference.psnr >= psnr
  )
}
