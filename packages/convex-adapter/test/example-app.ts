/** The example app as the root of a test, with the component registered as its users do it. */
import { register } from '@kinora/convex/test'
import { convexTest } from 'convex-test'
import { vi } from 'vitest'
import type { Id } from '../example/convex/_generated/dataModel'
import schema from '../example/convex/schema.ts'

const modules = import.meta.glob('../example/convex/**/*.{ts,js}')

export type App = ReturnType<typeof startExampleApp>

export function startExampleApp(env: Record<string, string>) {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
  const t = convexTest({ schema, modules })
  register(t)
  return t
}

/** Somebody who is signed in. */
export function signIn(t: App, name: string) {
  return t.withIdentity({ name, subject: name })
}

/** Puts a photo into the app's storage, as the browser does through an upload URL. */
export async function uploadPhoto(t: App, photo: Blob): Promise<Id<'_storage'>> {
  return t.run((ctx) => ctx.storage.store(photo))
}
