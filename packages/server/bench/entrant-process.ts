/** Starts an entrant in a process of its own and asks it things. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { paths, type Upload } from '@kinora/protocol'
import type { StoreName } from '../src/stores/store.ts'
import { type Answer, API_KEY, type Question } from './protocol.ts'
import { startStore } from './stores.ts'

export type Kind = 'kinora' | 'bare'

export interface Entrant {
  readonly kind: Kind
  readonly url: string
  /** Names a picture that it holds (a bare one takes any name). */
  readonly upload: string
  /** Milliseconds of processor time so far. */
  cpu(): Promise<number>
  /** Makes a job within the entrant, or takes one. */
  job(question: 'add' | 'claim'): Promise<{ job: string; from: number; to: number }>
  /** Lets a BullMQ worker wait in it. @returns what stops it */
  work(): Promise<() => Promise<void>>
  /** When that worker got its next job. */
  started(): Promise<number>
  /** Answers when it has nothing left to do: pictures of accepted jobs are brought in after the answer. */
  rest(): Promise<void>
  dispose(): Promise<void>
}

export async function startEntrant(kind: Kind, store: StoreName): Promise<Entrant> {
  const running = await startStore(store)
  const folder = await mkdtemp(join(tmpdir(), 'kinora-bench-files-'))
  const child = fork(fileURLToPath(new URL('entrant.ts', import.meta.url)), [kind, store, running.address, folder], {
    // Its log goes where a log goes; nobody has to read it here.
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: [...process.execArgv, ...profiling(kind, store)],
  })
  const exited = once(child, 'exit')

  async function hear<T>(pick: (answer: Answer) => T | undefined, question?: Question): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const listen = (answer: Answer): void => {
        const picked = pick(answer)
        if (picked === undefined) return
        child.off('message', listen)
        child.off('exit', fail)
        resolve(picked)
      }
      const fail = (): void => reject(new Error(`The entrant ${kind} on ${store} ended.`))
      child.on('message', listen)
      child.once('exit', fail)
      if (question !== undefined) child.send(question)
    })
  }

  const url = await hear((answer) => ('ready' in answer ? answer.ready : undefined))
  const upload = kind === 'kinora' ? await putPicture(url) : crypto.randomUUID()
  child.send({ upload })
  const cpu = (): Promise<number> => hear((answer) => ('cpu' in answer ? answer.cpu : undefined), 'cpu')

  return {
    kind,
    url,
    upload,
    cpu,
    job: (question) => hear((answer) => ('job' in answer ? answer : undefined), question),
    async work() {
      await hear(isDone, 'work')
      return async () => void (await hear(isDone, 'stop'))
    },
    started: () => hear((answer) => ('started' in answer ? answer.at : undefined)),
    async rest() {
      let before = await cpu()
      for (let idle = 0; idle < 3;) {
        await new Promise((resolve) => setTimeout(resolve, 100))
        const after = await cpu()
        idle = after - before < 10 ? idle + 1 : 0
        before = after
      }
    },
    async dispose() {
      await hear(isDone, 'close').catch(() => undefined)
      const timer = setTimeout(() => child.kill('SIGKILL'), 5000)
      await exited
      clearTimeout(timer)
      await running.dispose()
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

const isDone = (answer: Answer): true | undefined => ('done' in answer ? true : undefined)

/** PROFILE=folder leaves a CPU profile of each entrant there. */
function profiling(kind: Kind, store: StoreName): string[] {
  const folder = process.env['PROFILE']
  if (folder === undefined) return []
  return ['--cpu-prof', `--cpu-prof-dir=${folder}`, `--cpu-prof-name=${kind}-${store}.cpuprofile`]
}

async function putPicture(origin: string): Promise<string> {
  const picture = await readFile(new URL('../../../examples/assets/coffee.jpg', import.meta.url))
  const asked = await fetch(origin + paths.uploads(), {
    method: 'POST',
    headers: { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ content_type: 'image/jpeg', size: picture.byteLength }),
  })
  if (!asked.ok) throw new Error(`upload: ${asked.status} ${await asked.text()}`)
  const { upload_id, upload_url, headers } = (await asked.json()) as Upload
  const put = await fetch(upload_url, { method: 'PUT', headers, body: picture })
  if (!put.ok) throw new Error(`PUT: ${put.status} ${await put.text()}`)
  return upload_id
}
