/** What queries are made of: texts that stand for other things. */
import * as z from 'zod/mini'

/** A whole number, written in digits only. */
export function wholeNumber({ min, max }: { readonly min: number; readonly max: number }) {
  const words = `must be a whole number from ${min} to ${max}`
  return z.pipe(
    z.string().check(z.regex(/^\d{1,15}$/, words)),
    z.pipe(z.transform(Number), z.int(words).check(z.minimum(min, words), z.maximum(max, words))),
  )
}
