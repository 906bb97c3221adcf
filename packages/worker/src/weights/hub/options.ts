/** What all functions of the hub take. */
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { proxiedFetch, proxyVariables } from './proxy.ts'

export interface HubOptions {
  /** Where models are kept. Default: `~/.cache/kinora`. */
  readonly cacheDir?: string | undefined
  /** A Hugging Face cache (`~/.cache/huggingface/hub`) whose files are used instead of downloading them again; null for none. Default: null. */
  readonly hubCacheDir?: string | null | undefined
  /** Default: `https://huggingface.co`. */
  readonly endpoint?: string | undefined
  /** Sent to the endpoint only, never to where it redirects; never logged. */
  readonly token?: string | undefined
  /** Default: the global one. A proxy is the business of whoever gives another, such as {@link hubOptionsFromEnvironment}. */
  readonly fetch?: typeof fetch | undefined
  readonly signal?: AbortSignal | undefined
  /** How often in a row an attempt may fail that brings nothing. Default: 5. */
  readonly retries?: number | undefined
  /** Milliseconds without a byte after which an attempt counts as failed. Default: 60000. */
  readonly stallTimeout?: number | undefined
  /** Waits between attempts. Default: a timer. */
  readonly wait?: ((milliseconds: number, signal?: AbortSignal) => Promise<void>) | undefined
  /** Free bytes of a folder's disk. Default: asks the system. */
  readonly freeBytes?: ((folder: string) => Promise<number>) | undefined
}

/** The options with their defaults. */
export interface Hub {
  readonly cacheDir: string
  readonly hubCacheDir: string | null
  readonly endpoint: string
  readonly token: string | undefined
  readonly fetch: typeof fetch
  readonly signal: AbortSignal | undefined
  readonly retries: number
  readonly stallTimeout: number
  readonly wait: (milliseconds: number, signal?: AbortSignal) => Promise<void>
  readonly freeBytes: ((folder: string) => Promise<number>) | undefined
  /** Told before each pause between attempts. */
  readonly onRetry: (reason: string, milliseconds: number) => void
}

export function withDefaults(options: HubOptions, onRetry: Hub['onRetry'] = () => undefined): Hub {
  return {
    cacheDir: options.cacheDir ?? join(homedir(), '.cache', 'kinora'),
    hubCacheDir: options.hubCacheDir ?? null,
    endpoint: (options.endpoint ?? 'https://huggingface.co').replace(/\/+$/, ''),
    token: options.token,
    fetch: options.fetch ?? fetch,
    signal: options.signal,
    retries: options.retries ?? 5,
    stallTimeout: options.stallTimeout ?? 60_000,
    wait: options.wait ?? (async (milliseconds, signal) => sleep(milliseconds, undefined, signal ? { signal } : {})),
    freeBytes: options.freeBytes,
    onRetry,
  }
}

/**
 * The options that the environment asks for: MODEL_CACHE, ACCEPT_MODEL_LICENSE, and the hub's own HF_TOKEN, HF_ENDPOINT, HF_HOME, HF_HUB_CACHE
 * and HF_TOKEN_PATH, with the meanings that huggingface_hub gives them. A token saved by its login is used as well. HTTP_PROXY, HTTPS_PROXY and NO_PROXY
 * are honoured.
 */
export function hubOptionsFromEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): HubOptions & { readonly acceptLicense: boolean } {
  const home = env.HF_HOME ?? join(env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'huggingface')
  const saved = env.HF_TOKEN_PATH ?? join(home, 'token')
  const token = env.HF_TOKEN ?? (existsSync(saved) ? readFileSync(saved, 'utf8') : '')
  const proxies = proxyVariables(env)
  return {
    ...(proxies && { fetch: proxiedFetch(proxies) }),
    cacheDir: env.MODEL_CACHE || undefined,
    hubCacheDir: env.HF_HUB_CACHE ?? env.HUGGINGFACE_HUB_CACHE ?? join(home, 'hub'),
    endpoint: env.HF_ENDPOINT || undefined,
    token: token.trim() || undefined,
    acceptLicense: /^(1|true|yes)$/i.test(env.ACCEPT_MODEL_LICENSE ?? ''),
  }
}
