/** How far a pull is, how fast, and how long it still takes. */

export interface PullProgress {
  /** What is being done: asking the hub, waiting for another process, comparing files that are there, downloading, pausing after a failure. */
  readonly phase: 'listing' | 'waiting' | 'checking' | 'downloading' | 'retrying' | 'done'
  /** The file that it is about. */
  readonly file?: string
  /** Words for people: who is waited for, why it is tried again and when. */
  readonly detail?: string
  readonly filesDone: number
  readonly filesTotal: number
  /** Bytes that are here, those of earlier pulls included. */
  readonly bytesDone: number
  readonly bytesTotal: number
  /** Of the last few seconds; 0 until something came. */
  readonly bytesPerSecond: number
  /** Null while nobody can tell. */
  readonly secondsLeft: number | null
}

/** Adds up what several downloads report, and reports it a few times a second. */
export interface ProgressMeter {
  begin(filesTotal: number, bytesTotal: number): void
  /** Bytes that are there already, or came in another way than over the line. */
  have(bytes: number): void
  /** Bytes from the line; negative when some were thrown away. */
  gain(bytes: number, file: string): void
  fileDone(file: string): void
  phase(phase: PullProgress['phase'], about?: { file?: string; detail?: string }): void
}

const REPORT_EVERY = 200
/** Seconds over which the speed is taken. */
const WINDOW = 5

/**
 * @param report takes each snapshot
 * @param now milliseconds of a clock that only goes forward
 */
export function createMeter(
  report: (progress: PullProgress) => void = () => undefined,
  now: () => number = () => performance.now(),
): ProgressMeter {
  let filesDone = 0
  let filesTotal = 0
  let bytesDone = 0
  let bytesTotal = 0
  let received = 0
  let lastReport = -Infinity
  let samples: { at: number; received: number }[] = []

  const speed = (): number => {
    const first = samples[0]
    const last = samples.at(-1)
    if (!first || !last || last.at - first.at < 1) return 0
    return Math.max(0, (1000 * (last.received - first.received)) / (last.at - first.at))
  }
  const emit = (phase: PullProgress['phase'], about: { file?: string; detail?: string } = {}): void => {
    const bytesPerSecond = speed()
    const left = Math.max(0, bytesTotal - bytesDone)
    const secondsLeft = left === 0 ? 0 : bytesPerSecond > 0 ? left / bytesPerSecond : null
    report({ phase, ...about, filesDone, filesTotal, bytesDone, bytesTotal, bytesPerSecond, secondsLeft })
    lastReport = now()
  }

  return {
    begin: (files, bytes) => {
      filesTotal = files
      bytesTotal = bytes
    },
    have: (bytes) => {
      bytesDone += bytes
    },
    gain: (bytes, file) => {
      bytesDone += bytes
      received += Math.max(0, bytes)
      const at = now()
      samples = [...samples.filter((sample) => at - sample.at < WINDOW * 1000), { at, received }].slice(-200)
      if (at - lastReport >= REPORT_EVERY) emit('downloading', { file })
    },
    fileDone: (file) => {
      filesDone += 1
      emit('downloading', { file })
    },
    phase: emit,
  }
}
