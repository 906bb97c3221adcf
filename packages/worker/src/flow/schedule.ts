/** The noise schedule: how far from pure noise (sigma 1) to a video (sigma 0) each step goes. */

export interface ScheduleConfig {
  readonly shift:
    /** Longer videos spend more steps at high noise: mu grows with the number of tokens. */
    | {
        readonly kind: 'by-length'
        readonly baseTokens: number
        readonly maximumTokens: number
        readonly baseShift: number
        readonly maximumShift: number
      }
    /** The same for all lengths; 1 changes nothing. */
    | { readonly kind: 'factor'; readonly factor: number }
  /** Stretches the schedule so that its last sigma before 0 is this. */
  readonly terminal?: number
  /** Draws fresh noise at each step instead of following the flow. */
  readonly stochastic: boolean
}

/** Evenly spaced: 1, ..., 1/steps. */
export function uniformSigmas(steps: number): number[] {
  return Array.from({ length: steps }, (_, index) =>
    Math.fround(steps === 1 ? 1 : 1 + (index * (1 / steps - 1)) / (steps - 1)),
  )
}

/**
 * Slow through the noisiest 2.5 % in the first half of the steps, then ever faster. (Movie Gen, arXiv 2410.13720; `schedulers/rf.py` of LTX-Video.)
 */
export function linearQuadraticSigmas(steps: number, threshold = 0.025): number[] {
  if (steps < 2) return [1]
  const linearSteps = Math.floor(steps / 2)
  const quadraticSteps = steps - linearSteps
  const difference = linearSteps - threshold * steps
  const quadratic = difference / (linearSteps * quadraticSteps ** 2)
  const linear = threshold / linearSteps - (2 * difference) / quadraticSteps ** 2
  const constant = quadratic * linearSteps ** 2
  return Array.from({ length: steps }, (_, index) => {
    const noiseGone =
      index < linearSteps ? (index * threshold) / linearSteps : quadratic * index ** 2 + linear * index + constant
    return Math.fround(1 - noiseGone)
  })
}

/**
 * The sigmas that the steps really use, ending in 0.
 * @param sigmas descending, without the final 0
 * @param tokens of the video, for a shift by length
 */
export function shiftedSigmas(sigmas: readonly number[], config: ScheduleConfig, tokens: number): Float32Array {
  const shifted = sigmas.map((sigma) => shiftSigma(sigma, config, tokens))
  const stretched = config.terminal === undefined ? shifted : stretch(shifted, config.terminal)
  return Float32Array.of(...stretched, 0)
}

function shiftSigma(sigma: number, { shift }: ScheduleConfig, tokens: number): number {
  if (shift.kind === 'factor') return (shift.factor * sigma) / (1 + (shift.factor - 1) * sigma)
  const slope = (shift.maximumShift - shift.baseShift) / (shift.maximumTokens - shift.baseTokens)
  const mu = tokens * slope + shift.baseShift - slope * shift.baseTokens
  return Math.exp(mu) / (Math.exp(mu) + (1 / sigma - 1))
}

function stretch(sigmas: readonly number[], terminal: number): number[] {
  const scale = (1 - (sigmas.at(-1) ?? 0)) / (1 - terminal)
  // One step alone is pure noise: there is nothing to stretch.
  return scale === 0 ? [...sigmas] : sigmas.map((sigma) => 1 - (1 - sigma) / scale)
}
