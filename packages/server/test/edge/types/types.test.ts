/** A host with the newest and with the oldest supported Hono compiles: the peer range in package.json tells the truth. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { mount } from './host.ts'

const here = path.dirname(fileURLToPath(import.meta.url))
const repository = path.resolve(here, '../../../../..')

function compile(hono: string): string[] {
  const file = ts.readConfigFile(path.join(repository, 'tsconfig.base.json'), (name) => ts.sys.readFile(name))
  const { options } = ts.convertCompilerOptionsFromJson(file.config.compilerOptions, repository)
  const compilerOptions: ts.CompilerOptions = {
    ...options,
    types: ['node'],
    typeRoots: [path.join(repository, 'node_modules/@types')],
  }
  const host = ts.createCompilerHost(compilerOptions)
  // Whoever asks for Hono gets the version in question, as in a project that has only that one.
  host.resolveModuleNameLiterals = (literals, containingFile) =>
    literals.map(({ text }) =>
      ts.resolveModuleName(text.replace(/^hono(?=$|\/)/, hono), containingFile, compilerOptions, host),
    )
  const program = ts.createProgram([path.join(here, 'host.ts')], compilerOptions, host)
  const resolved = program.getSourceFiles().map(({ fileName }) => path.relative(repository, fileName))
  expect(
    resolved.filter((name) => /node_modules\/hono[^-/]*\//.test(name) && !name.startsWith(`node_modules/${hono}/`)),
  ).toEqual([])
  expect(resolved).toContain(`node_modules/${hono}/dist/types/index.d.ts`)
  return (
    ts
      .getPreEmitDiagnostics(program)
      // The other packages' sources come along; their own checks look at them.
      .filter(({ file: source }) => source?.fileName.includes('/packages/server/'))
      .map(
        ({ file: source, messageText }) => `${source?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
      )
  )
}

describe('types of a mounted server', () => {
  it('fit a host on the oldest supported Hono; the newest is what the whole workspace is compiled with', () => {
    expect(compile('hono-oldest')).toEqual([])
    // The file is there to be compiled; here it is only named, so that tools see who uses it.
    expect(mount).toBeTypeOf('function')
  }, 60_000)

  it('say the oldest version in the peer range', async () => {
    const server = JSON.parse(await readFile(path.join(here, '../../../package.json'), 'utf8'))
    const oldest = JSON.parse(await readFile(path.join(repository, 'node_modules/hono-oldest/package.json'), 'utf8'))
    expect(server.peerDependencies.hono).toBe(`^${oldest.version}`)
  })
})
