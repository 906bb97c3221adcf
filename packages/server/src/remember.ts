/** Maps that forget: of what is remembered for speed alone, the oldest goes when there is more than enough. */

/** Sets an entry as the newest, and forgets the oldest where there are more than `atMost`. */
export function remember<Key, Value>(known: Map<Key, Value>, key: Key, value: Value, atMost: number): void {
  known.delete(key)
  known.set(key, value)
  if (known.size <= atMost) return
  for (const oldest of known.keys()) {
    known.delete(oldest)
    return
  }
}
