import { afterEach, expect, it, vi } from 'vitest'
import { startLocal } from './compose.ts'

afterEach(() => vi.unstubAllEnvs())

it("gives its workers this process's environment, and says when one cannot start", { timeout: 60_000 }, async () => {
  vi.stubEnv('FFMPEG_PATH', '/nowhere/ffmpeg')
  const failures: unknown[] = []
  const local = await startLocal({ onWorkerFailure: (error, model) => failures.push(`${model}: ${String(error)}`) })
  try {
    await expect.poll(() => failures, { timeout: 30_000 }).toHaveLength(1)
    expect(failures[0]).toContain('camera: ')
    expect(failures[0]).toContain('/nowhere/ffmpeg (FFMPEG_PATH)')
  } finally {
    await local.close()
  }
})
