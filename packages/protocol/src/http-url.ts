/** Addresses that the server is to call. */
import * as z from 'zod/mini'
import { explained } from './explain.ts'

/** http and https only; whether the server may reach the address is checked when it connects. */
export const HttpUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
  .check(z.maxLength(8192, explained))
