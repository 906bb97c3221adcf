/** Opens an engine by its name; only the one that is asked for is loaded. */

import { isAbsolute } from 'node:path'
import { pathToFileURL } from 'node:url'
import { EngineError } from '../failure.ts'
import type { CreateEngine, Engine, EngineOptions, OpenContext } from './engine.ts'

/**
 * @param name `camera`, `ltx`, or a module with an engine of one's own, as `file:` URL or absolute path
 * @throws EngineError `engine_unknown`; whatever the engine throws when it cannot start
 */
export async function openEngine(name: string, options: EngineOptions, context: OpenContext): Promise<Engine> {
  if (name === 'camera') {
    const { createCameraEngine } = await import('./camera/index.ts')
    return createCameraEngine()
  }
  if (name === 'ltx') {
    const { openLtx } = await import('./open-ltx.ts')
    return openLtx(options, context)
  }
  if (!isModule(name)) {
    throw new EngineError(
      'engine_unknown',
      `There is no engine named ${name}. Known are camera, ltx, and modules of your own as file: URL or absolute path.`,
    )
  }
  const module: unknown = await import(isAbsolute(name) ? pathToFileURL(name).href : name)
  const create = exported(module)
  if (create === undefined) {
    throw new EngineError('engine_unknown', `${name} exports neither createEngine nor a function as its default.`)
  }
  return create({ ...options, ...context })
}

/** Whether an engine's name is a module's address. */
export function isModule(name: string): boolean {
  return name.startsWith('file:') || isAbsolute(name)
}

function exported(module: unknown): CreateEngine | undefined {
  if (typeof module !== 'object' || module === null) return undefined
  const named = 'createEngine' in module ? module.createEngine : 'default' in module ? module.default : undefined
  return typeof named === 'function' ? (named as CreateEngine) : undefined
}
