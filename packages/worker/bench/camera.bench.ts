/**
 * The camera engine against ffmpeg's zoompan, encoding included: how smooth, and how long. Both write 1024x576, 121 frames, with the same
 * encoder settings; zoompan is also fed an 8 times enlarged picture, the usual cure for its jitter.
 *
 *     npm run bench -w @kinora/worker
 */

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createCameraEngine } from '../src/engines/camera/index.ts'
import { decodePicture, encodeArguments, encodeVideo, findFfmpeg, type Ffmpeg } from '../src/media/index.ts'
import { jitter, movements, toGray } from '../test/registration.ts'

const run = promisify(execFile)
const size = { width: 1024, height: 576, fps: 24 }
const frames = 121
const rounds = Number(process.env['ROUNDS'] ?? 3)
const photograph = fileURLToPath(new URL('../../../examples/assets/coffee.jpg', import.meta.url))

async function camera(ffmpeg: Ffmpeg, output: string): Promise<void> {
  const engine = await createCameraEngine()
  const picture = await decodePicture(await readFile(photograph))
  const settings = { ...size, num_frames: frames, prompt: 'zoom in', duration: 5, seed: 1 }
  const context = { signal: new AbortController().signal, progress: () => undefined }
  await encodeVideo(engine.generate({ picture, settings }, context), { ...size, ffmpeg, output })
  await engine.close()
}

async function zoompan(ffmpeg: Ffmpeg, output: string, enlarged: number): Promise<void> {
  const zoom = `zoompan=z='1+0.2*on/${frames - 1}':x='iw/2-(iw/zoom/2)':y='ih/2-(ih/zoom/2)':d=${frames}:s=1024x576:fps=24`
  const cover = 'scale=1024:576:force_original_aspect_ratio=increase,crop=1024:576'
  const large = enlarged === 1 ? '' : `scale=${1024 * enlarged}:-1,`
  const line = encodeArguments({ ...size, ffmpeg, output })
  const encoding = line.slice(line.indexOf('-an'))
  await run(ffmpeg.path, ['-v', 'error', '-y', '-i', photograph, '-vf', `${cover},${large}${zoom}`, ...encoding])
}

async function measureJitter(ffmpeg: Ffmpeg, file: string): Promise<number> {
  const { stdout } = await run(ffmpeg.path, ['-v', 'error', '-i', file, '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'], {
    encoding: 'buffer',
    maxBuffer: 2 ** 30,
  })
  const bytes = size.width * size.height * 3
  if (stdout.length !== bytes * frames) throw new Error(`${file} has ${stdout.length / bytes} frames, not ${frames}.`)
  function* decoded() {
    for (let index = 0; index < frames; index++) {
      yield toGray(stdout.subarray(index * bytes, (index + 1) * bytes), size.width, size.height)
    }
  }
  return jitter(await movements(decoded()), size.width, size.height)
}

const folder = await mkdtemp(join(tmpdir(), 'kinora-bench-'))
try {
  const ffmpeg = await findFfmpeg()
  const entrants = {
    'camera engine': (output: string) => camera(ffmpeg, output),
    zoompan: (output: string) => zoompan(ffmpeg, output, 1),
    'zoompan, picture enlarged 8x': (output: string) => zoompan(ffmpeg, output, 8),
  }
  const seconds = new Map<string, number[]>()
  for (let round = 0; round < rounds; round++) {
    for (const [name, make] of Object.entries(entrants)) {
      const start = performance.now()
      await make(join(folder, `${name}.mp4`))
      seconds.set(name, [...(seconds.get(name) ?? []), (performance.now() - start) / 1000])
    }
  }
  const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN
  const reference = median(seconds.get('zoompan, picture enlarged 8x') ?? [])
  for (const [name, times] of seconds) {
    const time = median(times)
    const still = await measureJitter(ffmpeg, join(folder, `${name}.mp4`))
    console.log(
      `${name.padEnd(30)} ${time.toFixed(2)} s (${(time / reference).toFixed(2)} of the last)  jitter ${still.toFixed(4)} px RMS`,
    )
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
