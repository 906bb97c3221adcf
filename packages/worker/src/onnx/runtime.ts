/**
 * ONNX Runtime, loaded without its telemetry: since 1.27 its Linux build opens an uploader to its makers when it is loaded, unless this variable is
 * set by then. Whoever wants to take part sets ORT_DISABLE_TELEMETRY=0. See docs/decisions/0003-no-telemetry.md.
 */
process.env.ORT_DISABLE_TELEMETRY ??= '1'

// Not a static import: those are loaded before the line above runs.
export const runtime = await import('onnxruntime-node')
