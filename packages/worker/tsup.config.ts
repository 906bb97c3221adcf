import { defineConfig } from 'tsup'

/** `child/main` is no export: it is the entry of the process that computes, found beside the bundle. */
export default defineConfig({
  entry: {
    index: 'src/index.ts',
    ltx: 'src/engines/ltx/index.ts',

    'child/main': 'src/child/main.ts',
  },
  format: 'esm',
  platform: 'node',
  target: 'node20',
  dts: { entry: { index: 'src/index.ts', ltx: 'src/engines/ltx/index.ts' } },
  splitting: true,
  clean: true,
})
