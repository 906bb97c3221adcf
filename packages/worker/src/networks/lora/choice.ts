/** Which LoRAs a worker uses: the files, and how strongly. */

import { EngineError } from '../../failure.ts'

export interface LoraChoice {
  /** A .safetensors file. */
  readonly path: string
  /** By what its changes are multiplied; any number. */
  readonly strength: number
}

/**
 * `FILE` or `FILE=STRENGTH`.
 * @throws EngineError `invalid_settings` for a strength that is no number
 */
export function parseLora(text: string): LoraChoice {
  const cut = text.lastIndexOf('=')
  // A file's name may have an equals sign; one that ends in .safetensors has no strength behind it.
  if (cut < 0 || text.endsWith('.safetensors')) return { path: text, strength: 1 }
  const [path, said] = [text.slice(0, cut), text.slice(cut + 1).trim()]
  const strength = Number(said)
  if (said !== '' && Number.isFinite(strength) && path !== '') return { path, strength }
  throw new EngineError(
    'invalid_settings',
    `The LoRA ${JSON.stringify(text)} has a strength that is no number. Write FILE or FILE=STRENGTH, such as style.safetensors=0.8.`,
  )
}
