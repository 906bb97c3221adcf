/** `kinora models`: weights on this machine. */
import {
  formatBytes,
  hubOptionsFromEnvironment,
  listModels,
  type PullProgress,
  pullModel,
  removeModel,
  verifyModel,
} from '@kinora/worker'
import { type Command, Option } from 'commander'
import { CommandError } from '../failure.ts'
import { createOutput, type Output } from '../output.ts'

const DEFAULT_MODEL = 'Lightricks/LTX-Video'

/** Adds `kinora models pull|list|verify|remove`. */
export function addModelsCommand(program: Command, host: NodeJS.Process, signal: AbortSignal): void {
  const models = program.command('models').description('weights on this machine (docs/models.md)')
  const json = new Option('--json', 'print one JSON object on stdout, and nothing else there')
  const hub = () => ({ ...hubOptionsFromEnvironment(host.env), signal })

  models
    .command('pull')
    .description('download what the engine needs of a model of the hub; resumes, and verifies each file')
    .argument('[id]', 'owner/name, or owner/name:file for a single-file checkpoint', DEFAULT_MODEL)
    .option('--accept-license', "accept the model's licence, where it has one that must be (or ACCEPT_MODEL_LICENSE=1)")
    .addOption(json)
    .action(async (id: string, options: { acceptLicense?: boolean; json?: boolean }) => {
      const output = createOutput(host, options)
      const known = hub()
      const pulled = await pullModel({
        ...known,
        id,
        acceptLicense: options.acceptLicense ?? known.acceptLicense,
        onLicense: (notice) => output.say(notice),
        onProgress: (progress) => showPull(progress, output),
      }).finally(() => output.endProgress())
      output.say(
        `${formatBytes(pulled.bytesDownloaded)} downloaded, ${formatBytes(pulled.bytesReused)} taken from the Hugging Face cache.`,
      )
      output.result(pulled.path, pulled)
    })

  models
    .command('list')
    .description('what is here')
    .addOption(json)
    .action(async (options: { json?: boolean }) => {
      const found = await listModels(hub())
      const lines = found.map(
        ({ id, bytes, files, complete, path }) =>
          `${id}\t${formatBytes(bytes)}\t${files} files\t${complete ? 'complete' : 'incomplete: pull it again'}\t${path}`,
      )
      createOutput(host, options).result(
        lines.length > 0 ? lines.join('\n') : `No models here. Get one with: kinora models pull ${DEFAULT_MODEL}`,
        found,
      )
    })

  models
    .command('verify')
    .description('compare every file with the hash that the hub announced')
    .argument('[id]', 'as for pull', DEFAULT_MODEL)
    .addOption(json)
    .action(async (id: string, options: { json?: boolean }) => {
      const output = createOutput(host, options)
      const files = await verifyModel({
        ...hub(),
        id,
        onProgress: ({ file, bytesDone, bytesTotal }) =>
          output.progress({ label: 'verifying', percent: percentOf(bytesDone, bytesTotal), detail: file }),
      }).finally(() => output.endProgress())
      const broken = files.filter(({ status }) => status !== 'ok')
      output.result(files.map(({ path, status }) => `${status}\t${path}`).join('\n'), files)
      if (broken.length > 0)
        throw new CommandError(
          `${broken.length} of ${files.length} files are not as they should be. Mend them with: kinora models pull ${id}`,
        )
    })

  models
    .command('remove')
    .description("delete a model's files")
    .argument('<id>', 'as for pull')
    .addOption(json)
    .action(async (id: string, options: { json?: boolean }) => {
      const removed = await removeModel({ ...hub(), id })
      createOutput(host, options).result(`${id} is gone.`, removed ?? { id })
    })
}

function showPull(progress: PullProgress, output: Output): void {
  const { phase, bytesDone, bytesTotal, bytesPerSecond, secondsLeft, detail, file } = progress
  const speed = bytesPerSecond > 0 ? `${formatBytes(bytesPerSecond)}/s` : ''
  const left = secondsLeft === null ? '' : `${Math.ceil(secondsLeft)} s left`
  const about = [`${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}`, speed, left, detail ?? file].filter(Boolean)
  output.progress({ label: phase, percent: percentOf(bytesDone, bytesTotal), detail: about.join(', ') })
}

function percentOf(done: number, total: number): number {
  return total === 0 ? 0 : Math.floor((100 * done) / total)
}
