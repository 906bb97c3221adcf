/** Who a process has started, its children's children included. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Process ids of all descendants, by `ps`. */
export async function childrenOf(pid: number): Promise<number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid=,ppid='])
  const pairs = stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
  const found: number[] = []
  const open = [pid]
  for (let parent = open.pop(); parent !== undefined; parent = open.pop()) {
    for (const [child, itsParent] of pairs) {
      if (itsParent !== parent || child === undefined) continue
      found.push(child)
      open.push(child)
    }
  }
  return found
}
