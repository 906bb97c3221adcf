/** The code blocks of README.md, each after a comment `<!-- block: NAME -->`, put into the files of readme-project that make them whole. */
import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))

/** Writes the project with the blocks in place. Every block has its place, and every place its block. */
export function writeReadmeProject(folder) {
  const blocks = readBlocks()
  const used = new Set()
  cpSync(path.join(root, 'readme-project'), folder, { recursive: true })
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const file = path.join(folder, name)
    if (!/\.tsx?$/.test(name) || statSync(file).isDirectory()) continue
    const text = readFileSync(file, 'utf8').replaceAll(/\/\* block (\S+)(?: as (\S+))? \*\//g, (_, block, module) => {
      if (!blocks.has(block)) throw new Error(`${name} wants the block ${block}, which README.md has not.`)
      used.add(block)
      const code = blocks.get(block)
      return module === undefined ? code : code.replaceAll('internal.videos.', `internal.${module}.`)
    })
    writeFileSync(file, text)
  }
  const unused = [...blocks.keys()].filter((block) => !used.has(block))
  if (unused.length > 0) throw new Error(`No file of readme-project has the block ${unused.join(', ')}.`)
}

function readBlocks() {
  const readme = readFileSync(path.join(root, 'README.md'), 'utf8')
  const named = [...readme.matchAll(/<!-- block: (\S+) -->\n+```tsx?\n([\s\S]*?)```/g)]
  const all = readme.match(/^```tsx?$/gm) ?? []
  if (named.length !== all.length) throw new Error('README.md has a block of code without a name before it.')
  return new Map(named.map(([, name, code]) => [name, code]))
}
