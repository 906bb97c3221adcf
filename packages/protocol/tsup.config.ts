import { defineConfig } from 'tsup'

/**
 * One output file for each source file: a bundler can then leave out the schemas (and zod with them) for a client that only needs paths, types and
 * the webhook signature.
 */
export default defineConfig({
  entry: ['src/*.ts', 'src/fixtures/index.ts', '!src/**/*.test.ts'],
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  splitting: true,
  sourcemap: true,
  clean: true,
  dts: { entry: { index: 'src/index.ts', 'fixtures/index': 'src/fixtures/index.ts' } },
})
