/**
 * What `kinora dev` leaves in its data folder: secrets that stay the same from start to start, and, while it runs, where it is, so that
 * `kinora generate` beside it needs neither URL nor key.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface DevSecrets {
  readonly apiKey: string
  readonly workerToken: string
  readonly webhookSecret: string
}

export interface RunningServer {
  readonly url: string
  readonly apiKey: string
  readonly pid: number
}

const SECRETS = 'dev-secrets.json'
const RUNNING = 'dev-server.json'

/** The folder's secrets, made at the first call. Only the owner may read the file. */
export async function loadDevSecrets(dataDir: string): Promise<DevSecrets> {
  const known = await readJson(join(dataDir, SECRETS))
  if (isSecrets(known)) return known
  const secrets = createSecrets()
  await writePrivately(dataDir, SECRETS, secrets)
  return secrets
}

/** Secrets for a server that lives as long as one command. */
export function createSecrets(): DevSecrets {
  const secret = (prefix: string): string => prefix + randomBytes(24).toString('base64url')
  return {
    apiKey: secret('kinora_'),
    workerToken: secret('worker_'),
    webhookSecret: `whsec_${randomBytes(32).toString('base64')}`,
  }
}

/** Tells where the server of this folder is. */
export async function announceServer(dataDir: string, server: RunningServer): Promise<void> {
  await writePrivately(dataDir, RUNNING, server)
}

export async function withdrawServer(dataDir: string): Promise<void> {
  await rm(join(dataDir, RUNNING), { force: true })
}

/** The server that runs on this folder, or null. One that was killed leaves its note behind, so it is asked whether it still answers. */
export async function findRunningServer(dataDir: string): Promise<RunningServer | null> {
  const server = await readJson(join(dataDir, RUNNING))
  if (!isRunningServer(server)) return null
  try {
    const response = await fetch(`${server.url}/api/v1/jobs?limit=1`, {
      headers: { authorization: `Bearer ${server.apiKey}` },
      signal: AbortSignal.timeout(3000),
    })
    await response.body?.cancel()
    return response.ok ? server : null
  } catch {
    return null
  }
}

async function writePrivately(dataDir: string, name: string, value: object): Promise<void> {
  await mkdir(dataDir, { recursive: true })
  const temporary = join(dataDir, `${name}.${process.pid}`)
  await writeFile(temporary, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 })
  await rename(temporary, join(dataDir, name))
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch {
    return null
  }
}

function hasTexts<Key extends string>(value: unknown, ...keys: Key[]): value is Record<Key, string> {
  return (
    typeof value === 'object' &&
    value !== null &&
    keys.every((key) => typeof (value as Record<string, unknown>)[key] === 'string')
  )
}

function isSecrets(value: unknown): value is DevSecrets {
  return hasTexts(value, 'apiKey', 'workerToken', 'webhookSecret')
}

function isRunningServer(value: unknown): value is RunningServer {
  return hasTexts(value, 'url', 'apiKey') && 'pid' in value
}
