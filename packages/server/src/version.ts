/** The package's version, as `/health` and `/openapi.json` say it. */
import manifest from '../package.json' with { type: 'json' }

export const VERSION: string = manifest.version
