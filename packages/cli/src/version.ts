import manifest from '../package.json' with { type: 'json' }

/** Of this command and, as they are released together, of all of Kinora's packages. */
export const VERSION: string = manifest.version
