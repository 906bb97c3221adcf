/** The command line: what can be typed, what it means, and with which code it ends. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { dev } from './commands/dev.ts'
import { doctor } from './commands/doctor.ts'
import { generate } from './commands/generate.ts'
import { addModelsCommand } from './commands/models.ts'
import { serve } from './commands/serve.ts'
import { worker, type WorkerFlags } from './commands/worker.ts'
import { CommandError, describeError, EXIT } from './failure.ts'
import { Interrupted, listenForInterrupts } from './interrupt.ts'
import { createOutput } from './output.ts'
import { addPictureOptions, type PictureFlags } from './picture-flags.ts'
import { addSettingOptions, type SettingFlags, settingsFromFlags } from './setting-flags.ts'
import { VERSION } from './version.ts'

/**
 * Runs the command line of a process.
 * @returns the exit code
 */
export async function runProgram(host: NodeJS.Process): Promise<number> {
  const signal = listenForInterrupts(host)
  const program = createProgram(host, signal)
  try {
    await program.parseAsync(host.argv)
    return Number(host.exitCode ?? EXIT.ok)
  } catch (error) {
    // Commander has printed its own message, help and version among them.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
    const reason: unknown = signal.aborted ? signal.reason : error
    if (reason instanceof Interrupted) {
      host.stderr.write('Interrupted.\n')
      return reason.exitCode
    }
    host.stderr.write(`kinora: ${describeError(error)}\n`)
    if (host.env.DEBUG && error instanceof Error) host.stderr.write(`${error.stack}\n`)
    return error instanceof CommandError ? error.exitCode : EXIT.failure
  }
}

function createProgram(host: NodeJS.Process, signal: AbortSignal): Command {
  const { env } = host
  const program = new Command('kinora')
    .description('Turns one picture and a sentence into a video, on your own machine.')
    .version(VERSION, '-v, --version')
    .showHelpAfterError('(kinora --help shows what can be typed)')
    .showSuggestionAfterError()
    .exitOverride()

  const dataDir = new Option('--data-dir <folder>', 'where queue, pictures and videos are kept')
    .env('DATA_DIR')
    .default('./.kinora')
  const json = new Option('--json', 'print one JSON object on stdout, and nothing else there')

  const generateCommand = program
    .command('generate')
    .description('make a video of a picture')
    .argument('<photo>', 'JPEG, PNG, WebP, AVIF, HEIC, GIF or TIFF, at most 20 MB')
    .option('-o, --output <file>', "the mp4 (default: the photo's name with .mp4, in this folder)")
    .option('-f, --force', 'replace the output file when it exists')
    .option('-m, --model <name>', 'camera (needs no weights) or ltx-video')
    .addOption(
      new Option('--url <url>', 'a Kinora server; without it one is started here for this video').env('KINORA_URL'),
    )
    .addOption(new Option('--api-key <key>', "the server's API key; better given by the environment").env('API_KEY'))
    .addOption(dataDir)
    .addOption(json)
    .action(async (photo: string, options: GenerateFlags) => {
      const output = createOutput(host, options)
      const { model, metadata } = options
      const settings = { ...settingsFromFlags(options), model, metadata }
      const result = await generate({ ...options, photo, settings, environment: env }, output, signal)
      output.result(result.output, result)
    })
  addSettingOptions(generateCommand)
  addPictureOptions(generateCommand)

  program
    .command('dev')
    .description('run server and worker here, with everything in one data folder')
    .addOption(new Option('--port <number>', 'where the API listens').env('PORT').default(3000).argParser(integer))
    .addOption(new Option('--host <address>', 'the address it listens on').env('HOST').default('127.0.0.1'))
    .option('-m, --model <names...>', 'models that are served, the default first (default: camera)')
    .addOption(dataDir)
    .action(async (options: { port: number; host: string; dataDir: string; model?: string[] }) => {
      await dev({ ...options, models: options.model, environment: env }, createOutput(host), signal)
    })

  program
    .command('serve')
    .description('run the API, configured by environment variables (docs/server.md)')
    .action(() => serve(env, signal))

  program
    .command('worker')
    .description(
      'lease jobs from a server and turn them into videos, configured by environment variables (docs/worker.md)',
    )
    .option(
      '--engine <name>',
      'camera, ltx, or the path of a module with an engine of your own (default: ENGINE, or ltx)',
    )
    .option('--model <name>', 'the public name of the model it serves (default: the one that fits the engine)')
    .option('--model-path <folder-or-hub-id>', 'the checkpoint (default: MODEL_PATH, or Lightricks/LTX-Video)')
    .option('--vae <folder-or-file>', 'the VAE, for a checkpoint that holds a transformer only')
    .option(
      '--lora <file[=strength]>',
      'a LoRA that is added to the model, repeatable',
      (file: string, before: string[] | undefined) => [...(before ?? []), file],
    )
    .option('--recipe <name>', 'the recipe, where the checkpoint alone does not tell')
    .option('--precision <name>', 'fp32, fp16, bf16 or int8 (default: what suits the machine)')
    .option('--provider <name>', 'cpu or cuda (default: CUDA where it really runs)')
    .option('--keep-loaded', 'keep all parts of the model in memory between jobs')
    .action((options: WorkerFlags) => worker(options, env, signal))

  program
    .command('doctor')
    .description('look at Node, ffmpeg, ONNX Runtime, queue, storage and disk: what is wrong and how to mend it')
    .addOption(dataDir)
    .addOption(json)
    .action(async (options: { dataDir: string; json?: boolean }) => {
      const healthy = await doctor({ dataDir: options.dataDir, environment: env }, createOutput(host, options))
      if (!healthy) host.exitCode = EXIT.failure
    })

  addModelsCommand(program, host, signal)
  return program
}

interface GenerateFlags extends SettingFlags, PictureFlags {
  readonly output?: string
  readonly force?: boolean
  readonly model?: string
  readonly url?: string
  readonly apiKey?: string
  readonly dataDir: string
  readonly json?: boolean
}

function integer(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}
