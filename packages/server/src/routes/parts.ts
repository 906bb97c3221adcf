/** What routes are made of. */
import type { Hono, MiddlewareHandler } from 'hono'
import type { Logger } from 'pino'
import type { Authenticate } from '../auth/authenticate.ts'
import type { Core } from '../core.ts'
import type { KinoraEnv } from '../http/context.ts'
import type { Gate } from '../http/gate.ts'
import type { Storage } from '../storage/index.ts'

export interface RouteParts {
  readonly core: Core
  readonly storage: Storage
  readonly gate: Gate
  readonly logger: Logger
  readonly authenticate: Authenticate
  /** Without one, no worker is let in. */
  readonly workerToken: string | undefined
  /** Where this server is reached, mount prefix included, without a slash at the end. */
  readonly publicUrl: () => string
  readonly requireTenant: MiddlewareHandler<KinoraEnv>
  readonly requireWorker: MiddlewareHandler<KinoraEnv>
}

export type KinoraApp = Hono<KinoraEnv>

/** One resource: puts its routes on the app. */
export type Routes = (app: KinoraApp, parts: RouteParts) => void
