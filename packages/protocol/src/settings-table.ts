/**
 * The settings of a video: their only definition. Requests, jobs and leases, forms, the command's flags, the Convex validators and the table in
 * docs/settings.md are made from it. Data only: a client that reads it carries no zod.
 */
import {
  DEFAULT_NEGATIVE_PROMPT,
  DEFAULT_PROMPT,
  DEFAULT_STEPS,
  DURATION,
  FPS,
  GUIDANCE_SCALE,
  IMAGE_CRF,
  IMAGE_STRENGTH,
  MAX_PROMPT_LENGTH,
  MAX_SEED,
  SIDE,
  SIZE_STEP,
  STEPS,
} from './limits.ts'

interface Words {
  /** One sentence for people: what it does to the video. */
  readonly description: string
  /** What happens where neither request nor model says anything, where `default` alone does not tell. */
  readonly otherwise?: string
  /** Whether a job whose worker has begun always has it (`always`), or only where its model uses it. */
  readonly resolved: 'always' | 'where used'
}

export interface TextSetting extends Words {
  readonly type: 'text'
  /** Characters. */
  readonly maxLength: number
  readonly example: string
}

export interface NumberSetting extends Words {
  readonly type: 'integer' | 'number'
  readonly min: number
  readonly max: number
  readonly multipleOf?: number
  readonly unit?: string
  /** Filled in by the server; the others stay open, for the model to decide. */
  readonly default?: number
  readonly example: number
}

export type Setting = TextSetting | NumberSetting

export const SETTINGS = {
  prompt: {
    type: 'text',
    maxLength: MAX_PROMPT_LENGTH,
    description: 'What happens in the video.',
    otherwise: `"${DEFAULT_PROMPT}"`,
    resolved: 'always',
    example: 'The cat turns its head and blinks',
  },
  negative_prompt: {
    type: 'text',
    maxLength: MAX_PROMPT_LENGTH,
    description: 'What the video should not show.',
    otherwise: `"${DEFAULT_NEGATIVE_PROMPT}", or the model's own`,
    resolved: 'where used',
    example: 'text, watermark',
  },
  duration: {
    type: 'integer',
    ...DURATION,
    unit: 'seconds',
    description: 'How long the video is.',
    resolved: 'always',
    example: 5,
  },
  seed: {
    type: 'integer',
    min: 0,
    max: MAX_SEED,
    description: 'The same seed with the same settings makes the same video.',
    otherwise: 'drawn by the server, and told in the job',
    resolved: 'always',
    example: 1234567890,
  },
  width: {
    type: 'integer',
    ...SIDE,
    multipleOf: SIZE_STEP,
    unit: 'pixels',
    description: 'How wide the video is. The picture is cropped to fit, never stretched.',
    otherwise: "the picture's own aspect ratio at the model's area",
    resolved: 'always',
    example: 1024,
  },
  height: {
    type: 'integer',
    ...SIDE,
    multipleOf: SIZE_STEP,
    unit: 'pixels',
    description: 'How high the video is. The picture is cropped to fit, never stretched.',
    otherwise: "the picture's own aspect ratio at the model's area",
    resolved: 'always',
    example: 576,
  },
  fps: {
    type: 'integer',
    min: FPS.min,
    max: FPS.max,
    unit: 'frames a second',
    description: 'How many frames a second has.',
    otherwise: `the model's own, or ${FPS.default}`,
    resolved: 'always',
    example: 24,
  },
  steps: {
    type: 'integer',
    ...STEPS,
    description: 'Denoising steps: more take longer and may look better. Some checkpoints have a fixed number.',
    otherwise: `the model's own, or ${DEFAULT_STEPS}`,
    resolved: 'where used',
    example: 30,
  },
  guidance_scale: {
    type: 'number',
    ...GUIDANCE_SCALE,
    description: 'How closely to follow the prompt; 1 switches guidance off.',
    otherwise: "the model's own",
    resolved: 'where used',
    example: 3,
  },
  image_crf: {
    type: 'integer',
    ...IMAGE_CRF,
    description:
      'How strongly the picture is compressed (H.264) before it is animated: 0 keeps it as it is, more lets the video move more.',
    otherwise: "the model's own",
    resolved: 'where used',
    example: 29,
  },
  image_strength: {
    type: 'number',
    ...IMAGE_STRENGTH,
    description: 'How closely the first frame keeps to the picture; 1 holds it.',
    otherwise: "the model's own",
    resolved: 'where used',
    example: 1,
  },
} as const satisfies Record<string, Setting>

export type SettingName = keyof typeof SETTINGS
export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[]

/** The TypeScript type of a setting's value. */
export type SettingValue<Name extends SettingName> = (typeof SETTINGS)[Name]['type'] extends 'text' ? string : number

/** Whether a name is a setting's, and not another field's of the request. */
export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(SETTINGS, name)
}

/**
 * A setting that came as text: from a form, a flag, a query. What does not look like a number stays a text, so that the answer can quote it.
 * Checking it against its range is the schema's business.
 */
export function settingFromText(name: SettingName, text: string): string | number {
  return SETTINGS[name].type !== 'text' && /^[+-]?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text
}
