import { explained, GenerateRequest, isFinal, Job, paths } from '@kinora/protocol'

/** Checks a request before it is sent, and the answer before it is used. */
export async function generate(baseUrl: string, apiKey: string, request: GenerateRequest): Promise<Job> {
  const { data, error } = GenerateRequest.safeParse(request, explained)
  if (error) throw new TypeError(error.issues.map(({ path, message }) => `${path.join('.')} ${message}`).join('; '))

  const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' }
  const answer = await fetch(baseUrl + paths.generate(), { method: 'POST', headers, body: JSON.stringify(data) })
  const job = Job.parse(await answer.json())
  console.log(isFinal(job.status) ? job.result_url : `${job.job_id} is ${job.status}`)
  return job
}
