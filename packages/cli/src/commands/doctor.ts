/** `kinora doctor`: what this machine has, what is wrong, and how to mend it. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { createDiskStorage, createS3Storage, type StoreDriver } from '@kinora/server'
import {
  type Environment,
  EnvironmentError,
  readServerSettings,
  type ServerSettings,
  toServeOptions,
} from '@kinora/server/env'
import {
  describeLora,
  findFfmpeg,
  formatBytes,
  freeDiskSpace,
  listExecutionProviders,
  ONNX_RUNTIME_VERSION,
} from '@kinora/worker'
import { pino } from 'pino'
import { createSecrets } from '../dev-server.ts'
import { describeError } from '../failure.ts'
import type { Output } from '../output.ts'
import { lorasOf } from '../worker-settings.ts'

export interface DoctorOptions {
  readonly dataDir: string
  readonly environment: Environment
}

/** One thing that was looked at. */
export interface Finding {
  readonly name: string
  /** `warn`: it works, but not as well as it could. */
  readonly status: 'ok' | 'warn' | 'fail'
  readonly found: string
  /** What to do about it. */
  readonly remedy?: string
}

/** Free space under which a data folder is called full soon. */
const LOW_DISK_BYTES = 2 * 1024 ** 3

/** Prints what was found. @returns whether nothing failed */
export async function doctor(options: DoctorOptions, output: Output): Promise<boolean> {
  const { settings, finding } = readSettings(options)
  const findings: Finding[] = [
    await look('Node', checkNode),
    await look('ffmpeg', checkFfmpeg),
    await look('ONNX Runtime', checkRuntime),
    finding,
  ]
  if (settings) {
    findings.push(await look('queue', () => checkQueue(settings)), await look('storage', () => checkStorage(settings)))
  }
  for (const lora of lorasOf(options.environment) ?? [])
    findings.push(await look('LoRA', async () => ({ status: 'ok', found: await describeLora(lora) })))
  findings.push(await look('disk', () => checkDisk(options.dataDir)))

  const marks = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' }
  const lines = findings.flatMap(({ name, status, found, remedy }) => [
    `${marks[status]}  ${name.padEnd(13)} ${found}`,
    ...(remedy === undefined ? [] : [`${' '.repeat(20)}→ ${remedy}`]),
  ])
  const healthy = findings.every(({ status }) => status !== 'fail')
  output.result(lines.join('\n'), { healthy, findings })
  return healthy
}

async function look(
  name: string,
  check: () => Promise<Omit<Finding, 'name'>> | Omit<Finding, 'name'>,
): Promise<Finding> {
  try {
    return { name, ...(await check()) }
  } catch (error) {
    return { name, status: 'fail', found: describeError(error) }
  }
}

function checkNode(): Omit<Finding, 'name'> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const found = `${process.version} on ${process.platform} ${process.arch}`
  if (major > 20 || (major === 20 && minor >= 11)) return { status: 'ok', found }
  return { status: 'fail', found, remedy: 'Install Node 20.11 or newer.' }
}

async function checkFfmpeg(): Promise<Omit<Finding, 'name'>> {
  const { path, version, encoder, source } = await findFfmpeg()
  const found = `${version} with ${encoder} (${source}: ${path})`
  if (encoder === 'libx264') return { status: 'ok', found }
  return { status: 'warn', found, remedy: 'It works; an ffmpeg with libx264 gives better pictures for the same size.' }
}

async function checkRuntime(): Promise<Omit<Finding, 'name'>> {
  const providers = await listExecutionProviders()
  const found = `${ONNX_RUNTIME_VERSION}: ${providers.map(({ name, works, reason }) => `${name} ${works ? 'works' : 'does not'} (${reason})`).join(', ')}`
  const hasNvidia = existsSync('/proc/driver/nvidia/version') || existsSync('/dev/nvidia0')
  if (!hasNvidia || providers.some(({ name, works }) => name === 'cuda' && works)) return { status: 'ok', found }
  return {
    status: 'warn',
    found,
    remedy:
      'There is an NVIDIA GPU here that ONNX Runtime does not use. Fetch its CUDA libraries with `ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node --ignore-scripts=false`, with CUDA 13, cuDNN 9 and a driver of 580 or newer (docs/worker.md).',
  }
}

/** Without the variables that `kinora serve` needs the check goes on as `kinora dev` would. */
function readSettings({ environment, dataDir }: DoctorOptions): { settings: ServerSettings | null; finding: Finding } {
  const secrets = createSecrets()
  const defaults = {
    DATA_DIR: dataDir,
    API_KEY: secrets.apiKey,
    WORKER_TOKEN: secrets.workerToken,
    WEBHOOK_SECRET: secrets.webhookSecret,
  }
  try {
    const settings = readServerSettings(environment, defaults)
    const unset = ['API_KEY', 'WORKER_TOKEN', 'WEBHOOK_SECRET'].filter(
      (name) => !environment[name] && !(name === 'API_KEY' && environment.API_KEYS),
    )
    const found =
      unset.length === 0
        ? 'complete for kinora serve'
        : `enough for kinora dev; kinora serve also needs ${unset.join(', ')}`
    return { settings, finding: { name: 'environment', status: 'ok', found } }
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error
    return {
      settings: null,
      finding: {
        name: 'environment',
        status: 'fail',
        found: error.message,
        remedy: 'docs/server.md has the table of variables.',
      },
    }
  }
}

async function checkQueue(settings: ServerSettings): Promise<Omit<Finding, 'name'>> {
  const logger = pino({ level: 'silent' })
  const { store: driver } = await toServeOptions(settings, logger)
  const store = await open(driver, logger)
  if ('locked' in store) return { status: 'ok', found: `embedded: ${store.locked}` }
  try {
    const started = performance.now()
    await store.ping()
    const where = settings.queue.kind === 'embedded' ? ` in ${resolve(settings.queue.dataDir)}` : ''
    return { status: 'ok', found: `${store.name}${where} answers in ${(performance.now() - started).toFixed(1)} ms` }
  } finally {
    await store.close()
  }
}

/** A folder that a running server holds is in good hands. */
async function open(driver: StoreDriver, logger: pino.Logger) {
  try {
    return await driver.open({ logger, retention: { completed: 86_400, failed: 604_800 } })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'folder_locked') return { locked: error.message }
    throw error
  }
}

async function checkStorage(settings: ServerSettings): Promise<Omit<Finding, 'name'>> {
  const storage = settings.s3
    ? createS3Storage(settings.s3)
    : createDiskStorage({ folder: resolve(settings.dataDir, 'storage'), publicUrl: () => 'http://localhost' })
  try {
    await storage.check()
    return {
      status: 'ok',
      found: settings.s3 ? `s3, bucket ${settings.s3.bucket}` : `disk, ${resolve(settings.dataDir, 'storage')}`,
    }
  } finally {
    await storage.close()
  }
}

async function checkDisk(dataDir: string): Promise<Omit<Finding, 'name'>> {
  const free = await freeDiskSpace(dataDir)
  const found = `${formatBytes(free)} free at ${resolve(dataDir)}`
  if (free > LOW_DISK_BYTES) return { status: 'ok', found }
  return {
    status: 'warn',
    found,
    remedy: 'Set OBJECT_TTL so that old videos are removed, or choose a larger --data-dir.',
  }
}
