/** What the server has to know about pictures. */
export { ImageError, inspectImage, type ImageInfo, type ImageLimits } from './inspect.ts'
