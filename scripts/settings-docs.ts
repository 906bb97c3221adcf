/** Writes the table of settings in docs/settings.md from protocol's, or with --check says whether it stands there already. */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Setting, SETTING_NAMES, SETTINGS } from '@kinora/protocol'
import { format } from 'oxfmt'

const file = fileURLToPath(new URL('../docs/settings.md', import.meta.url))
const before = readFileSync(file, 'utf8')
const [start, end] = ['<!-- settings -->', '<!-- /settings -->']
const from = before.indexOf(start)
const to = before.indexOf(end)
if (from < 0 || to < from) {
  console.error(`docs/settings.md has no ${start} … ${end} to put the table between.`)
  process.exit(1)
}
const table = [
  '| setting | range | without it | what it does |',
  '| --- | --- | --- | --- |',
  ...SETTING_NAMES.map((name) => row(name, SETTINGS[name])),
].join('\n')
const { code } = await format(file, `${before.slice(0, from)}${start}\n\n${table}\n\n${before.slice(to)}`, {
  printWidth: 150,
})

if (!process.argv.includes('--check')) writeFileSync(file, code)
else if (code !== before) {
  console.error("docs/settings.md is not protocol's table: run npm run docs:settings")
  process.exit(1)
}

function row(name: string, setting: Setting): string {
  const fallback = setting.type === 'text' ? setting.otherwise : (setting.default ?? setting.otherwise)
  return `| \`${name}\` | ${range(setting)} | ${fallback ?? ''} | ${setting.description} |`
}

function range(setting: Setting): string {
  if (setting.type === 'text') return `at most ${setting.maxLength} characters`
  const { min, max, multipleOf, unit, type } = setting
  const step = multipleOf === undefined ? '' : `, a multiple of ${multipleOf}`
  return `${type === 'integer' ? 'whole, ' : ''}${min} to ${max}${unit === undefined ? '' : ` ${unit}`}${step}`
}
