/** Numbers of several rounds as one, and tables to print. */

/** The value below which this share of them lies, 0..1. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? NaN
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? NaN
  return sorted.length % 2 === 0 ? ((sorted[middle - 1] ?? NaN) + upper) / 2 : upper
}

/** The middle and the quarters around it: how far rounds differ says how much of a figure is the machine's noise. */
export function spread(values: readonly number[], digits = 2): string {
  const [low, middle, high] = [quantile(values, 0.25), median(values), quantile(values, 0.75)]
  return `${middle.toFixed(digits)} (${low.toFixed(digits)}-${high.toFixed(digits)})`
}

/** Rows in columns, the first row being the heads. */
export function printTable(title: string, rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
  console.log(`\n${title}\n`)
  rows.forEach((row, place) => {
    console.log(line(row))
    if (place === 0) console.log(widths.map((width) => '-'.repeat(width)).join('  '))
  })
}
