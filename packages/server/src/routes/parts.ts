/** What routes are made of. */
import type { Logger } from 'pino'
import type { Auth, Guard } from '../auth/guards.ts'
import type { Core } from '../core.ts'
import type { Gate } from '../http/gate.ts'
import type { Storage } from '../storage/index.ts'
import type { Keywords } from './route.ts'

export interface RouteParts {
  readonly core: Core
  readonly storage: Storage
  readonly gate: Gate
  readonly logger: Logger
  /** A guard for each kind of authorisation. */
  readonly authorise: Readonly<Record<Auth, Guard>>
  /** Where this server is reached, mount prefix included, without a slash at the end. */
  readonly publicUrl: () => string
  /** The OpenAPI document, without the server's address. */
  readonly document: () => Keywords
}
