/** A flag for each of a video's settings, from protocol's table. */
import {
  type AskedSettings,
  type Setting,
  SETTING_NAMES,
  type SettingName,
  SETTINGS,
  settingFromText,
} from '@kinora/protocol'
import { type Command, InvalidArgumentError, Option } from 'commander'

/** What commander makes of the flags: a field a setting, named in camelCase. */
export type SettingFlags = { readonly [Name in SettingName as Camel<Name>]?: AskedSettings[Name] }

type Camel<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Name

const SHORT: { readonly [Name in SettingName]?: string } = { prompt: 'p', negative_prompt: 'n', duration: 'd' }

export function addSettingOptions(command: Command): void {
  for (const name of SETTING_NAMES) {
    const setting = SETTINGS[name]
    const short = SHORT[name] === undefined ? '' : `-${SHORT[name]}, `
    command.addOption(
      new Option(`${short}--${name.replaceAll('_', '-')} <${placeholder(setting)}>`, help(setting)).argParser((text) =>
        read(name, text),
      ),
    )
  }
}

/** The settings that were typed, named as the wire names them. */
export function settingsFromFlags(flags: SettingFlags): AskedSettings {
  const typed: Readonly<Record<string, unknown>> = flags
  return Object.fromEntries(
    SETTING_NAMES.flatMap((name) => {
      const value = typed[name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())]
      return value === undefined ? [] : [[name, value]]
    }),
  )
}

function placeholder(setting: Setting): string {
  return setting.type === 'text' ? 'sentence' : (setting.unit ?? 'number').split(' ', 1).join()
}

function help(setting: Setting): string {
  const { description, otherwise } = setting
  const words = description.replace(/\.$/, '')
  if (setting.type === 'text') return otherwise === undefined ? words : `${words} (default: ${otherwise})`
  const range = `${setting.min} to ${setting.max}${setting.multipleOf === undefined ? '' : `, a multiple of ${setting.multipleOf}`}`
  const fallback = setting.default ?? otherwise
  return `${words}; ${range}${fallback === undefined ? '' : ` (default: ${fallback})`}`
}

/** @throws InvalidArgumentError for what is no number, or out of range: before a server is started or asked */
function read(name: SettingName, text: string): string | number {
  const setting: Setting = SETTINGS[name]
  const value = settingFromText(name, text)
  if (setting.type === 'text') return value
  const wanted = setting.type === 'integer' ? 'whole number' : 'number'
  if (typeof value !== 'number' || (setting.type === 'integer' && !Number.isInteger(value)))
    throw new InvalidArgumentError(`It must be a ${wanted}.`)
  if (value < setting.min || value > setting.max)
    throw new InvalidArgumentError(`It must be ${setting.min} to ${setting.max}.`)
  if (setting.multipleOf !== undefined && value % setting.multipleOf !== 0)
    throw new InvalidArgumentError(`It must be a multiple of ${setting.multipleOf}.`)
  return value
}
