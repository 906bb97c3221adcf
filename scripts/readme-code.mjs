// Puts the files that README.md names into its code blocks, or with --check says whether they stand there already.
// A block is preceded by a comment line `<!-- path/of/the/file.ts -->`; the files themselves are type-checked and run by the tests.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = new URL('..', import.meta.url)
const readme = fileURLToPath(new URL('README.md', root))
const before = readFileSync(readme, 'utf8')
let blocks = 0
const after = before.replaceAll(/(<!-- (\S+\.ts) -->\n+```ts\n)[\s\S]*?(```)/g, (_, head, path, tail) => {
  blocks += 1
  return head + readFileSync(new URL(path, root), 'utf8').trimEnd() + '\n' + tail
})
if (blocks === 0) {
  console.error('README.md has no code block that names a file: has the form of the comment changed?')
  process.exit(1)
}
if (process.argv.includes('--check')) {
  if (before !== after) {
    console.error("README.md shows code that is not the files': run node scripts/readme-code.mjs")
    process.exit(1)
  }
} else {
  writeFileSync(readme, after)
}
