import { isApiError, isJobFailedError, isKinoraError, isTimeoutError, type Kinora } from '@kinora/sdk'

export async function orderVideo(kinora: Kinora, orderId: string, image_url: string): Promise<string> {
  try {
    // The same key makes the same job, also when this runs again after a crash.
    const job = await kinora.generate({ image_url }, { idempotencyKey: `order-${orderId}` })
    const done = await kinora.wait(job.job_id, { timeout: 10 * 60_000 })
    return done.result_url ?? 'gone'
  } catch (error) {
    if (isJobFailedError(error)) return `failed (${error.code}): ${error.job.error_message}`
    if (isTimeoutError(error) && error.jobId) return `still running: ${error.jobId}`
    if (isApiError(error) && error.status === 400)
      return error.issues.map(({ path, message }) => `${path} ${message}`).join('; ')
    if (isKinoraError(error)) console.error(error.code, error.message, error.requestId)
    throw error
  }
}
