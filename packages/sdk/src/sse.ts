/** Server-sent events from a response, with a limit on silence. */
import { createParser, type EventSourceMessage } from 'eventsource-parser'

/** Thrown when no byte came for too long. */
export class Silence extends Error {
  override readonly name = 'Silence'
}

/**
 * The events, until the server ends the stream.
 *
 * @param silence milliseconds without a byte, comment lines included, after which a Silence is thrown
 * @throws whatever breaks the connection
 */
export async function* readEvents(
  response: Response,
  silence: number,
): AsyncGenerator<EventSourceMessage, void, undefined> {
  const reader = response.body?.getReader()
  if (!reader) return
  const decoder = new TextDecoder()
  const events: EventSourceMessage[] = []
  const parser = createParser({ onEvent: (event) => void events.push(event) })
  try {
    for (;;) {
      const { done, value } = await within(reader.read(), silence)
      if (done) return
      parser.feed(decoder.decode(value, { stream: true }))
      yield* events.splice(0)
    }
  } finally {
    void reader.cancel().catch(() => {})
  }
}

async function within<T>(promise: Promise<T>, milliseconds: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const silence = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Silence(`No byte came for ${milliseconds} ms.`)), milliseconds)
  })
  try {
    return await Promise.race([promise, silence])
  } finally {
    clearTimeout(timer)
  }
}
