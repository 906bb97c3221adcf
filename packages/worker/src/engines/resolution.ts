/** How a request becomes what will be done, for engines that have no rules of their own, and the words for what is left aside. */

import {
  type RequestedSettings,
  type ResolvedSettings,
  resolveSettings,
  SETTING_NAMES,
  type SettingName,
} from '@kinora/protocol'
import type { Engine, PictureSize, Resolution } from './engine.ts'

/** The engine's own answer, or the request first, then its `defaults`, then the contract. */
export async function resolveRequest(
  engine: Pick<Engine, 'name' | 'defaults' | 'resolve'>,
  asked: RequestedSettings,
  picture: PictureSize,
): Promise<Resolution> {
  if (engine.resolve !== undefined) return engine.resolve(asked, picture)
  const settings = resolveSettings(asked, engine.defaults, picture)
  return { settings, notices: leftAside(asked, settings, () => `The engine ${engine.name} has no use for it`) }
}

/**
 * A sentence for each setting that was asked for and has no part in the video, or another value there.
 * @param why half a sentence: "This checkpoint has 8 fixed steps"
 */
export function leftAside(
  asked: RequestedSettings,
  settings: ResolvedSettings,
  why: (name: SettingName) => string,
): string[] {
  return SETTING_NAMES.flatMap((name) => {
    const wanted = asked[name]
    const used = settings[name]
    if (wanted === undefined || wanted === used) return []
    if (typeof wanted === 'string') {
      // Texts are too long to repeat, a trimmed prompt is the same one, and an empty one says nothing.
      return used === undefined && wanted.trim() !== '' ? [`${why(name)}; ${name} was left aside.`] : []
    }
    return [`${why(name)}; ${name}: ${wanted} was left aside.`]
  })
}
