/** The problems of a component's folder, one line each. */
export function lintComponent(folder: string): string[]
