/**
 * When a signed link runs out, in milliseconds since 1970; undefined for one that does not, or does not say so.
 *
 * S3 and R2 sign with X-Amz-Date and X-Amz-Expires (AWS Signature Version 4, query parameters), Kinora's own storage with `expires` in Unix seconds.
 */
export function linkEnd(url: string): number | undefined {
  const { searchParams } = new URL(url)
  const date = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(searchParams.get('X-Amz-Date') ?? '')
  const lasts = Number(searchParams.get('X-Amz-Expires') ?? Number.NaN)
  if (date !== null && Number.isFinite(lasts)) {
    const [, year, month, day, hour, minute, second] = date
    return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) + lasts * 1000
  }
  const expires = Number(searchParams.get('expires') ?? Number.NaN)
  return searchParams.has('signature') && Number.isFinite(expires) ? expires * 1000 : undefined
}
