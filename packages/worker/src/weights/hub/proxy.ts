/** A way to the hub through a proxy, for networks that have no other way out. */

import { HubError } from './hub-error.ts'

export interface ProxyVariables {
  readonly httpProxy: string | undefined
  readonly httpsProxy: string | undefined
  /** Hosts that are reached directly: names, `.domains`, with `:port` if need be, commas between; `*` for all. */
  readonly noProxy: string
}

/** What HTTP_PROXY, HTTPS_PROXY and NO_PROXY say, in small letters first, as curl and most tools read them; undefined where no proxy is named. */
export function proxyVariables(env: Readonly<Record<string, string | undefined>>): ProxyVariables | undefined {
  const value = (name: string) => env[name]?.trim() || env[name.toUpperCase()]?.trim() || undefined
  const [httpProxy, httpsProxy] = [value('http_proxy'), value('https_proxy')]
  if (httpProxy === undefined && httpsProxy === undefined) return undefined
  return { httpProxy, httpsProxy, noProxy: value('no_proxy') ?? '' }
}

/**
 * A `fetch` through the proxies, for requests without a body. Node's own learns of these variables only with version 24; the library behind it is taken instead.
 * @returns it throws HubError `bad_proxy` where a variable is no address
 */
export function proxiedFetch(variables: ProxyVariables): typeof fetch {
  let loaded: Promise<typeof fetch> | undefined
  return async (input, init) => {
    loaded ??= load(variables)
    return (await loaded)(input, init)
  }
}

async function load({ httpProxy, httpsProxy, noProxy }: ProxyVariables): Promise<typeof fetch> {
  const proxies = {
    httpProxy: addressOf('HTTP_PROXY', httpProxy),
    httpsProxy: addressOf('HTTPS_PROXY', httpsProxy),
  }
  const undici = await import('undici')
  // What is not given it would look for in the environment of the process; an empty text is none.
  const dispatcher = new undici.EnvHttpProxyAgent({ ...proxies, noProxy })
  return async (input, { method = 'GET', headers, redirect = 'follow', signal = null } = {}) => {
    const response = await undici.fetch(input instanceof Request ? input.url : input, {
      dispatcher,
      method,
      headers: [...new Headers(headers)],
      redirect,
      signal,
    })
    if (isResponse(response)) return response
    throw new TypeError('The fetch of undici gave no Response.')
  }
}

/** The class is the global one of another copy of the library; where the DOM's types are in use, the compiler holds them for strangers. */
function isResponse(value: object): value is Response {
  return ['status', 'headers', 'body', 'json', 'text'].every((name) => name in value)
}

/** With `http://` in front where there is nothing, as curl understands it. */
function addressOf(name: string, text: string | undefined): string {
  if (text === undefined) return ''
  const address = /^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`
  const { protocol } = URL.canParse(address) ? new URL(address) : { protocol: '' }
  if (protocol === 'http:' || protocol === 'https:') return address
  // It may hold a password, so it is not repeated.
  throw new HubError('bad_proxy', `${name} is no address of an HTTP proxy. Write http://host:port.`)
}
