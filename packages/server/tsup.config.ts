import { defineConfig } from 'tsup'

/** One file for each export, and chunks for what they share: nobody loads a driver that he does not name. */
export default defineConfig({
  entry: {
    index: 'src/index.ts',
    env: 'src/env/index.ts',
    redis: 'src/stores/redis/index.ts',
    postgres: 'src/stores/postgres/index.ts',
    embedded: 'src/stores/embedded/index.ts',
  },
  format: 'esm',
  target: 'node20',
  platform: 'node',
  dts: true,
  splitting: true,
  sourcemap: true,
  clean: true,
})
