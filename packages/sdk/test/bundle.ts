/** What a user's bundler makes of the sources, for tests of size and of runtimes without Node. */
import { build } from 'esbuild'

/** @param contents the module to bundle, which may import `@kinora/sdk` */
export async function bundle(contents: string, globalName = 'bundled'): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: import.meta.dirname, loader: 'ts' },
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    globalName,
    // A built-in of Node's in the main entry would fail the build.
    platform: 'browser',
    target: 'es2022',
    conditions: ['@kinora/source'],
  })
  return outputFiles[0]?.text ?? ''
}
