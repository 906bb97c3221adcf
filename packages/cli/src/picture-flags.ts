/** Pictures beside the photo, and metadata: how they are typed, and what is read from it. */
import { IMAGE_STRENGTH } from '@kinora/protocol'
import type { PicturePosition } from '@kinora/sdk'
import { type Command, InvalidArgumentError, Option } from 'commander'

/** A picture beside the photo: a file or an http(s) URL, its place, its strength. */
export interface TypedPicture {
  readonly source: string
  readonly place: PicturePosition
  readonly strength?: number
}

export interface PictureFlags {
  readonly endImage?: string
  readonly image?: readonly TypedPicture[]
  readonly metadata?: Readonly<Record<string, string>>
}

export function addPictureOptions(command: Command): void {
  command
    .option('--end-image <file-or-url>', 'a picture that the video ends with (not for all models)')
    .addOption(
      new Option(
        '--image <file@place>',
        'a picture of another frame, repeatable: FILE@48 for a frame, FILE@2.5s for a second, FILE@end; =0.5 behind it is its strength, 0 to 1',
      ).argParser((text, before: readonly TypedPicture[] | undefined) => [...(before ?? []), readPicture(text)]),
    )
    .addOption(
      new Option('--metadata <key=value>', 'something of yours that the job carries, repeatable').argParser(
        (text, before: Readonly<Record<string, string>> | undefined) => ({ ...before, ...readPair(text) }),
      ),
    )
}

/** @throws InvalidArgumentError for what names no place, or a strength that is none */
export function readPicture(text: string): TypedPicture {
  // From the end: files and URLs may have @ and = in their names.
  const [, source, place, strength] = /^(.+)@(start|end|\d+|\d+(?:\.\d+)?s)(?:=([\d.]+))?$/.exec(text) ?? []
  if (source === undefined || place === undefined)
    throw new InvalidArgumentError('Write FILE@PLACE: FILE@48 for a frame, FILE@2.5s for a second, or FILE@end.')
  if (place === 'start') throw new InvalidArgumentError('The photo itself stands at the start.')
  const position = readPlace(place)
  if (strength === undefined) return { source, place: position }
  const number = Number(strength)
  if (!(number >= IMAGE_STRENGTH.min && number <= IMAGE_STRENGTH.max))
    throw new InvalidArgumentError(`The strength ${strength} must be ${IMAGE_STRENGTH.min} to ${IMAGE_STRENGTH.max}.`)
  return { source, place: position, strength: number }
}

function readPlace(place: string): PicturePosition {
  if (place === 'end') return { at: 'end' }
  return place.endsWith('s') ? { seconds: Number(place.slice(0, -1)) } : { frame: Number(place) }
}

function readPair(text: string): Record<string, string> {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('Write key=value.')
  return { [text.slice(0, at)]: text.slice(at + 1) }
}
