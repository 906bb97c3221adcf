/** How a command talks: a progress bar on a terminal, plain lines in a pipe, JSON lines with --json. Results go to stdout, everything else to stderr. */
import { Presets, SingleBar } from 'cli-progress'

export interface OutputStreams {
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream & { isTTY?: boolean | undefined }
}

export interface Output {
  /** A line for people, on stderr; nothing with --json. */
  say(line: string): void
  /** How far something is. Bars move on a terminal; a pipe gets a line when the label or the tenth changes. */
  progress(state: { label: string; percent: number; detail?: string | undefined }): void
  /** Takes the bar away, so that the next line starts clean. */
  endProgress(): void
  /** What the command was run for, on stdout: the text for people, the value as one JSON line with --json. */
  result(text: string, value: unknown): void
}

/** The output of one command. */
export function createOutput(streams: OutputStreams, options: { json?: boolean } = {}): Output {
  if (options.json) return jsonOutput(streams)
  return streams.stderr.isTTY ? terminalOutput(streams) : pipeOutput(streams)
}

function terminalOutput(streams: OutputStreams): Output {
  let bar: SingleBar | null = null
  const endProgress = () => {
    bar?.stop()
    bar = null
  }
  return {
    say(line) {
      endProgress()
      streams.stderr.write(`${line}\n`)
    },
    progress({ label, percent, detail }) {
      const payload = { label: label.padEnd(10), detail: detail ?? '' }
      if (bar) return bar.update(percent, payload)
      bar = new SingleBar(
        {
          format: '{label} {bar} {percentage}% {detail}',
          stream: streams.stderr,
          hideCursor: true,
          clearOnComplete: false,
          stopOnComplete: false,
          barsize: 32,
        },
        Presets.shades_classic,
      )
      bar.start(100, percent, payload)
    },
    endProgress,
    result(text) {
      endProgress()
      streams.stdout.write(`${text}\n`)
    },
  }
}

function pipeOutput(streams: OutputStreams): Output {
  let last = ''
  return {
    say: (line) => void streams.stderr.write(`${line}\n`),
    progress({ label, percent, detail }) {
      const step = `${label} ${Math.floor(percent / 10)}`
      if (step === last) return
      last = step
      streams.stderr.write(`${label} ${Math.round(percent)}%${detail ? ` ${detail}` : ''}\n`)
    },
    endProgress() {},
    result: (text) => void streams.stdout.write(`${text}\n`),
  }
}

function jsonOutput(streams: OutputStreams): Output {
  return {
    say() {},
    progress() {},
    endProgress() {},
    result: (_text, value) => void streams.stdout.write(`${JSON.stringify(value)}\n`),
  }
}
