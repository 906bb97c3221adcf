/** Who a process has started, its children's children included. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

export interface Descendant {
  readonly pid: number
  /** The command line. */
  readonly command: string
}

/** All descendants, by `ps`. */
export async function descendantsOf(pid: number): Promise<Descendant[]> {
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid=,ppid=,args='], { maxBuffer: 16 * 1024 * 1024 })
  const all = stdout.split('\n').flatMap((line) => {
    const [, child, parent, command] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? []
    return command === undefined ? [] : [{ pid: Number(child), parent: Number(parent), command }]
  })
  const found: Descendant[] = []
  const open = [pid]
  for (let parent = open.pop(); parent !== undefined; parent = open.pop()) {
    for (const one of all) {
      if (one.parent !== parent) continue
      found.push({ pid: one.pid, command: one.command })
      open.push(one.pid)
    }
  }
  return found
}

/** Process ids of all descendants. */
export async function childrenOf(pid: number): Promise<number[]> {
  return (await descendantsOf(pid)).map((one) => one.pid)
}
