/** Reads a case: a small checkpoint, the settings it ran with, and the numbers that diffusers computed. */

import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { recordedDraws, type Draws } from '../../../flow/draws.ts'
import type { Picture } from '../../../media/frame.ts'
import { float32Tensor, type Float32Tensor } from '../../../onnx/index.ts'
import { readFields, type Fields } from '../../../weights/config-fields.ts'
import { readSafetensors, readTensor, tensorNamed, type Weights } from '../../../weights/index.ts'
import type { CheckpointLocation } from '../pipeline.ts'
import type { Recipe } from '../ltx-video/recipe.ts'

export interface GoldenCase {
  readonly name: string
  readonly location: CheckpointLocation
  /** case.json. */
  readonly settings: Fields
  /** golden.safetensors. */
  readonly golden: Golden
  /** Pictures, with their place in the video. */
  readonly pictures: readonly { readonly picture: Picture; readonly frame: number; readonly strength: number }[]
}

export class Golden {
  readonly #weights: Weights

  constructor(weights: Weights) {
    this.#weights = weights
  }

  has(name: string): boolean {
    return this.#weights.tensors.has(name)
  }

  /** A recorded tensor as float32, whatever its type. */
  async tensor(name: string): Promise<Float32Tensor> {
    const entry = tensorNamed(this.#weights, name)
    return float32Tensor(entry.shape, await readTensor(entry))
  }

  /** The recorded draws, in order. */
  async draws(): Promise<Draws> {
    const recorded: Float32Tensor[] = []
    while (this.has(`draw.${recorded.length}`)) recorded.push(await this.tensor(`draw.${recorded.length}`))
    return recordedDraws(recorded)
  }
}

/** Decodes a picture file to 8-bit RGB. */
export type DecodePicture = (bytes: Uint8Array) => Promise<Picture>

/** @param folder of one case: `checkpoint/` and `golden/`, or a single file and a case.json that points to another case's golden numbers */
export async function readCase(folder: string, name: string, decodePicture: DecodePicture): Promise<GoldenCase> {
  const pointer = join(folder, 'case.json')
  if (!(await exists(pointer)))
    return readGolden(name, { path: join(folder, 'checkpoint') }, join(folder, 'golden'), decodePicture)
  const fields = await readFields(pointer)
  const at = (key: string) => join(folder, fields.string(key))
  const location = { path: at('checkpoint'), textEncoder: at('text_encoder'), tokenizer: at('tokenizer') }
  return readGolden(name, location, at('golden'), decodePicture)
}

async function readGolden(
  name: string,
  location: CheckpointLocation,
  folder: string,
  decodePicture: DecodePicture,
): Promise<GoldenCase> {
  const settings = await readFields(join(folder, 'case.json'))
  const places = readConditions(settings)
  const pictures = []
  for (const [index, place] of places.entries()) {
    const file = places.length > 1 ? `image-${index}.png` : 'image.png'
    pictures.push({ picture: await decodePicture(await readFile(join(folder, file))), ...place })
  }
  return {
    name,
    location,
    settings,
    golden: new Golden(await readSafetensors(join(folder, 'golden.safetensors'))),
    pictures,
  }
}

function readConditions(settings: Fields): { frame: number; strength: number }[] {
  const list = settings.raw('conditions')
  if (!Array.isArray(list)) return [{ frame: 0, strength: 1 }]
  return list.map((entry: unknown, index) => {
    const place = settings.nested(`conditions ${index}`, entry)
    return { frame: place.number('frame'), strength: place.number('strength') }
  })
}

/** The recipe that a case ran with. */
export function recipeOf(settings: Fields): Recipe {
  const decodeTimestep = settings.number('decode_timestep')
  return {
    name: 'case',
    follows: 'diffusers',
    perturbationMode: 'attention-values',
    imageCrf: 0,
    first: { steps: settings.number('num_inference_steps') },
    guidance: [{ from: 1, scale: settings.number('guidance_scale'), rescale: settings.number('guidance_rescale') }],
    negativePrompt: settings.string('negative_prompt'),
    maximumTokens: settings.number('max_sequence_length'),
    imageNoise: settings.number('image_cond_noise_scale', 0),
    decodeTimestep,
    decodeNoise: settings.number('decode_noise_scale', decodeTimestep),
    stochastic: false,
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
