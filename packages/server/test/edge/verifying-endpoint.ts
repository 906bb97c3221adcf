/**
 * For tests: an S3 endpoint that checks presigned URLs as S3 does (Signature Version 4, expiry, signed headers), in front of one that does not.
 * Written from the AWS documentation "Authenticating Requests: Using Query Parameters", not from the SDK that it checks.
 */
import { createHash, createHmac } from 'node:crypto'
import { createServer, type IncomingMessage, request as forward } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface VerifyingEndpoint {
  readonly url: string
  close(): Promise<void>
}

export async function startVerifyingEndpoint(options: {
  readonly behind: string
  readonly secretAccessKey: string
  readonly now: () => number
}): Promise<VerifyingEndpoint> {
  const server = createServer((incoming, answer) => {
    const problem = findProblem(incoming, options)
    if (problem) {
      incoming.resume()
      answer.writeHead(403, { 'content-type': 'application/xml' }).end(`<Error><Code>${problem}</Code></Error>`)
      return
    }
    const target = new URL(incoming.url!, options.behind)
    const kept = [...target.searchParams].filter(([name]) => !name.toLowerCase().startsWith('x-amz-'))
    // The server behind would check the expiry by its own clock.
    target.search = new URLSearchParams(kept.filter(([name]) => !name.startsWith('response-'))).toString()
    const disposition = kept.find(([name]) => name === 'response-content-disposition')?.[1]
    const outgoing = forward(target, { method: incoming.method!, headers: incoming.headers }, (response) => {
      if (disposition) response.headers['content-disposition'] = disposition
      answer.writeHead(response.statusCode ?? 502, response.headers)
      response.pipe(answer)
    })
    outgoing.on('error', () => answer.destroy())
    incoming.pipe(outgoing)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

function findProblem(
  incoming: IncomingMessage,
  { secretAccessKey, now }: { secretAccessKey: string; now: () => number },
): string | null {
  const url = new URL(incoming.url!, `http://${incoming.headers.host}`)
  const parameter = (name: string): string => url.searchParams.get(`X-Amz-${name}`) ?? ''
  const [, date, region, service] = parameter('Credential').split('/')
  const time = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(parameter('Date'))
  if (!time || !date || !region || !service) return 'AccessDenied'
  const signedAt = Date.parse(`${time[1]}-${time[2]}-${time[3]}T${time[4]}:${time[5]}:${time[6]}Z`)
  if (now() > signedAt + Number(parameter('Expires')) * 1000) return 'AccessDenied'

  const names = parameter('SignedHeaders').split(';')
  const query = [...url.searchParams]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .toSorted((a, b) => (a < b ? -1 : 1))
  const canonical = [
    incoming.method,
    url.pathname,
    query.join('&'),
    ...names.map((name) => `${name}:${String(incoming.headers[name] ?? '').trim()}`),
    '',
    names.join(';'),
    'UNSIGNED-PAYLOAD',
  ].join('\n')
  const scope = [date, region, service, 'aws4_request']
  const digest = createHash('sha256').update(canonical).digest('hex')
  const text = ['AWS4-HMAC-SHA256', parameter('Date'), scope.join('/'), digest].join('\n')
  let key: Buffer = Buffer.from(`AWS4${secretAccessKey}`)
  for (const part of scope) key = createHmac('sha256', key).update(part).digest()
  const signature = createHmac('sha256', key).update(text).digest('hex')
  return signature === parameter('Signature') ? null : 'SignatureDoesNotMatch'
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
