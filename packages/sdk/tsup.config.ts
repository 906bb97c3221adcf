import { defineConfig } from 'tsup'

export default defineConfig({
  entry: { index: 'src/index.ts', node: 'src/node.ts', testing: 'src/testing/index.ts' },
  format: 'esm',
  target: 'es2022',
  // The main entry runs in browsers and edge runtimes; only node.ts may name a built-in of Node's.
  platform: 'neutral',
  external: [/^node:/, 'msw'],
  dts: true,
  sourcemap: true,
  clean: true,
})
