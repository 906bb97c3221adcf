import { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { addPictureOptions, type PictureFlags, readPicture } from './picture-flags.ts'

describe('--image', () => {
  test.each([
    ['dog.jpg@48', { source: 'dog.jpg', place: { frame: 48 } }],
    ['dog.jpg@2.5s', { source: 'dog.jpg', place: { seconds: 2.5 } }],
    ['dog.jpg@end=0.5', { source: 'dog.jpg', place: { at: 'end' }, strength: 0.5 }],
    ['me@home=1.jpg@3s=0', { source: 'me@home=1.jpg', place: { seconds: 3 }, strength: 0 }],
    ['https://x.test/a@2.png?b=1@8', { source: 'https://x.test/a@2.png?b=1', place: { frame: 8 } }],
  ])('%s', (text, picture) => expect(readPicture(text)).toEqual(picture))

  test.each([
    ['dog.jpg', /FILE@PLACE/],
    ['@end', /FILE@PLACE/],
    ['dog.jpg@-8', /FILE@PLACE/],
    ['dog.jpg@3.5', /FILE@PLACE/],
    ['dog.jpg@start', /photo itself/],
    ['dog.jpg@end=1.7', /1\.7 must be 0 to 1/],
    ['dog.jpg@end=1.1.1', /must be 0 to 1/],
  ])('%s is refused', (text, words) => expect(() => readPicture(text)).toThrow(words))
})

test('repeated flags gather', () => {
  const command = new Command().exitOverride()
  addPictureOptions(command)
  const typed = ['--image', 'a.jpg@8', '--image', 'b.jpg@end', '--metadata', 'order=7', '--metadata', 'note=a=b']
  const flags = command.parse(typed, { from: 'user' }).opts<PictureFlags>()
  expect(flags.image?.map(({ source }) => source)).toEqual(['a.jpg', 'b.jpg'])
  expect(flags.metadata).toEqual({ order: '7', note: 'a=b' })
})
