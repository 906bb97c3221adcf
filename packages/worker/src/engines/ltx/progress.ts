/** How far a video is, and how long it will still take: measured, not promised. */

import type { PassPlan, Stage } from './pipeline.ts'

export interface ProgressPlan {
  readonly passes: readonly PassPlan[]
  /** Seconds that decoding took for as large a video before; undefined where it is not known yet. */
  readonly decodeSeconds?: number | undefined
}

export interface ProgressOptions {
  /** Milliseconds. */
  readonly now: () => number
  readonly report: (fraction: number, detail: string) => void
}

/** Parts of the whole at which the stages end; the steps are most of it. */
const shares = { textEnd: 0.05, denoiseEnd: 0.85 } as const

export class Progress {
  readonly #plan: ProgressPlan
  readonly #options: ProgressOptions
  readonly #unitTimes: number[] = []
  #stepStarted: number | undefined
  #done = 0
  #fraction = 0

  constructor(plan: ProgressPlan, options: ProgressOptions) {
    this.#plan = plan
    this.#options = options
  }

  stage(stage: Stage): void {
    const details = {
      text: 'reading the prompt',
      encode: 'encoding the picture',
      denoise: 'loading the model',
      upsample: 'upsampling',
      decode: 'decoding',
    }
    if (stage === 'denoise') this.#stepStarted = undefined
    this.#report(
      stage === 'decode' ? shares.denoiseEnd : stage === 'text' ? 0 : Math.min(this.#fraction + 0.01, shares.textEnd),
      details[stage],
    )
  }

  /** A step of a pass begins. */
  stepBegins(): void {
    this.#stepStarted = this.#options.now()
  }

  /** A step of a pass is done. */
  stepEnds(step: number, pass: number): void {
    const cost = this.#plan.passes[pass]?.cost ?? 1
    this.#done += cost
    if (this.#stepStarted !== undefined) this.#unitTimes.push((this.#options.now() - this.#stepStarted) / cost)
    const total = this.#plan.passes.reduce((sum, one) => sum + one.steps * one.cost, 0)
    const fraction = shares.textEnd + (shares.denoiseEnd - shares.textEnd) * (this.#done / total)
    this.#report(
      fraction,
      `${this.#passName(pass)}step ${step + 1} of ${this.#plan.passes[pass]?.steps ?? 0}${this.#remaining(total - this.#done)}`,
    )
  }

  /** @param part 0..1 of the decoding */
  decoding(part: number): void {
    const { decodeSeconds } = this.#plan
    const left = decodeSeconds === undefined ? '' : `, ${about(decodeSeconds * (1 - part))} left`
    this.#report(shares.denoiseEnd + (1 - shares.denoiseEnd) * part, `decoding${left}`)
  }

  #passName(pass: number): string {
    return this.#plan.passes.length > 1 ? `pass ${pass + 1}, ` : ''
  }

  /** The first step also loads the weights, so it counts only while it is the only one. */
  #remaining(units: number): string {
    const times = this.#unitTimes.length > 1 ? this.#unitTimes.slice(1) : this.#unitTimes
    const mean = times.reduce((sum, time) => sum + time, 0) / Math.max(1, times.length) / 1000
    const { decodeSeconds } = this.#plan
    if (decodeSeconds !== undefined) return `, ${about(units * mean + decodeSeconds)} left`
    return units < 1e-9 ? ', then decoding' : `, ${about(units * mean)} left, then decoding`
  }

  #report(fraction: number, detail: string): void {
    this.#fraction = Math.max(this.#fraction, Math.min(1, fraction))
    this.#options.report(this.#fraction, detail)
  }
}

/** "about 40 s", "about 3 min": no more digits than an estimate deserves. */
export function about(seconds: number): string {
  if (seconds < 10) return `about ${Math.max(1, Math.round(seconds))} s`
  if (seconds < 90) return `about ${Math.round(seconds / 5) * 5} s`
  return `about ${Math.round(seconds / 60)} min`
}
