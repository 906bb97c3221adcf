// Puts the files that README.md names into its code blocks, or with --check says whether they stand there already.
// A block is preceded by a comment line `<!-- path/of/the/file.ts -->`; the files themselves are type-checked and run by the tests.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = new URL('..', import.meta.url)
const readme = fileURLToPath(new URL('README.md', root))
const before = readFileSync(readme, 'utf8')
const after = before.replaceAll(
  /(<!-- (\S+\.ts) -->\n```ts\n)[\s\S]*?(```)/g,
  (_, head, path, tail) => head + readFileSync(new URL(path, root), 'utf8').trimEnd() + '\n' + tail,
)
if (process.argv.includes('--check')) {
  if (before !== after) {
    console.error("README.md shows code that is not the files': run node scripts/readme-code.mjs")
    process.exit(1)
  }
} else {
  writeFileSync(readme, after)
}
