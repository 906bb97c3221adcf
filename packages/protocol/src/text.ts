/** Text that can be kept everywhere: Postgres has no place for NUL, and UTF-8 none for half a surrogate pair. */

/** With the flag `u` a surrogate matches only where its other half is missing. */
const UNSTORABLE = /[\0\p{Surrogate}]/u
const EACH_UNSTORABLE = /[\0\p{Surrogate}]/gu

/** Whether the text is without NUL and lone surrogates. */
export function isStorableText(text: string): boolean {
  return !UNSTORABLE.test(text)
}

/** The same text, with U+FFFD for each NUL and lone surrogate. */
export function storableText(text: string): string {
  return text.replace(EACH_UNSTORABLE, '\uFFFD')
}
