import { describe, expect, test } from 'vitest'
import {
  explained,
  GenerateRequest,
  isSettingName,
  RequestedSettings,
  ResolvedSettings,
  type Setting,
  SETTING_NAMES,
  settingFromText,
  SETTINGS,
} from './index.ts'

const picture = { image_url: 'https://photos.example.com/cat.jpg' }

describe.each(SETTING_NAMES.map((name) => [name, SETTINGS[name] as Setting] as const))('%s', (name, setting) => {
  const refused = (value: unknown) =>
    GenerateRequest.safeParse({ ...picture, [name]: value }, explained).error?.issues.map(({ path }) => path[0])

  test('its bounds are the request’s: both ends are taken, one beyond is refused by name', () => {
    if (setting.type === 'text') {
      expect(refused('x'.repeat(setting.maxLength))).toBeUndefined()
      expect(refused('x'.repeat(setting.maxLength + 1))).toEqual([name])
      return
    }
    const step = setting.multipleOf ?? 1
    for (const value of [setting.min, setting.max]) expect(refused(value)).toBeUndefined()
    for (const value of [setting.min - step, setting.max + step]) expect(refused(value)).toEqual([name])
    if (setting.type === 'integer') expect(refused(setting.min + 0.5)?.[0]).toBe(name)
    if (step > 1) expect(refused(setting.min + 1)).toEqual([name])
  })

  test('its example is a value of it, also as text', () => {
    expect(refused(setting.example)).toBeUndefined()
    expect(settingFromText(name, String(setting.example))).toBe(setting.example)
  })

  test('it stands in a job that was made, where the table says so', () => {
    const everything = Object.fromEntries(SETTING_NAMES.map((each) => [each, SETTINGS[each].example]))
    const made = { ...everything, num_frames: 121 }
    expect(ResolvedSettings.parse(made)).toEqual(made)
    const { [name]: _left, ...without } = made as Record<string, unknown>
    expect(ResolvedSettings.safeParse(without).success).toBe(setting.resolved === 'where used')
  })
})

test('a worker is asked for what the request says and a seed, and for nothing that nobody asked for', () => {
  expect(RequestedSettings.parse({ seed: 7 })).toEqual({ seed: 7, duration: 5 })
  expect(RequestedSettings.safeParse({}).success).toBe(false)
})

test('texts become numbers where they are numbers, and stay to be quoted where they are not', () => {
  expect(settingFromText('guidance_scale', '3.5')).toBe(3.5)
  expect(settingFromText('duration', 'long')).toBe('long')
  expect(settingFromText('duration', '')).toBe('')
  expect(settingFromText('seed', '0x10')).toBe('0x10')
  expect(settingFromText('prompt', '42')).toBe('42')
  expect(isSettingName('toString')).toBe(false)
})
