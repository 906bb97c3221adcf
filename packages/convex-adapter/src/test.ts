/** For suites with convex-test: registers the component, so that functions which call `components.kinora` work. */
/// <reference types="vite/client" />
import type { TestConvex } from 'convex-test'
import type { GenericSchema, SchemaDefinition } from 'convex/server'
import schema from './component/schema.ts'

const modules = import.meta.glob(['./component/**/*.ts', '!./component/**/*.test.ts'])

/**
 * Registers the component with a convex-test instance.
 *
 * The component reads VIDEO_API_URL, VIDEO_API_KEY and WEBHOOK_SECRET from the test's `process.env`: set them with `vi.stubEnv`.
 *
 * @param t what `convexTest(schema, modules)` made
 * @param name the component's name in convex.config.ts. Default "kinora"
 */
export function register(t: TestConvex<SchemaDefinition<GenericSchema, boolean>>, name = 'kinora'): void {
  t.registerComponent(name, schema, modules)
}

export default { register, schema, modules }
