import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createOutput } from './output.ts'

function streams(isTTY: boolean) {
  const stdout = new PassThrough()
  const stderr = Object.assign(new PassThrough(), { isTTY, columns: 100, cursorTo: () => true, clearLine: () => true })
  return { stdout, stderr, read: () => ({ stdout: String(stdout.read() ?? ''), stderr: String(stderr.read() ?? '') }) }
}

describe('output', () => {
  it('writes a plain line in a pipe when the label or the tenth changes', () => {
    const { read, ...host } = streams(false)
    const output = createOutput(host)
    for (const percent of [0, 1, 9, 10, 12, 20]) output.progress({ label: 'generating', percent })
    output.progress({ label: 'uploading', percent: 21, detail: 'nearly there' })
    output.result('video.mp4', {})
    expect(read()).toEqual({
      stdout: 'video.mp4\n',
      stderr: 'generating 0%\ngenerating 10%\ngenerating 20%\nuploading 21% nearly there\n',
    })
  })

  it('moves a bar on a terminal', () => {
    const { read, ...host } = streams(true)
    const output = createOutput(host)
    output.progress({ label: 'generating', percent: 50 })
    output.say('a line between')
    output.result('video.mp4', {})
    const { stdout, stderr } = read()
    expect(stdout).toBe('video.mp4\n')
    expect(stderr).toContain('generating')
    expect(stderr).toContain('50%')
    expect(stderr).toContain('a line between\n')
  })

  it('prints one JSON line and nothing else with --json', () => {
    const { read, ...host } = streams(true)
    const output = createOutput(host, { json: true })
    output.say('not this')
    output.progress({ label: 'nor', percent: 5 })
    output.result('text', { answer: 42 })
    expect(read()).toEqual({ stdout: '{"answer":42}\n', stderr: '' })
  })
})
