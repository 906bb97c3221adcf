/**
 * The table of transitions: every change of a job's state there is, from which states, to which, and by whom. The code goes by it ({@link leadsTo}),
 * docs/server.md draws it, and a test holds the drawing and the behaviour to it.
 */
import type { JobStatus } from '@kinora/protocol'

/** A status of the wire, or `none`: the job is not there yet, or not any more. */
export type State = JobStatus | 'none'

export interface Transition {
  readonly from: readonly State[]
  readonly to: readonly State[]
  /** Who may cause it: the tenant whose job it is, any worker, the holder of the job's lease, or the server by itself. */
  readonly by: 'tenant' | 'worker' | 'holder' | 'server'
}

export const TRANSITIONS = {
  accept: { from: ['none'], to: ['queued'], by: 'tenant' },
  line: { from: ['queued'], to: ['queued'], by: 'server' },
  claim: { from: ['queued'], to: ['processing'], by: 'worker' },
  start: { from: ['processing'], to: ['processing'], by: 'holder' },
  heartbeat: { from: ['processing'], to: ['processing'], by: 'holder' },
  complete: { from: ['processing'], to: ['completed'], by: 'holder' },
  fail: { from: ['processing'], to: ['failed'], by: 'holder' },
  retry: { from: ['processing'], to: ['queued'], by: 'holder' },
  release: { from: ['processing'], to: ['queued'], by: 'holder' },
  stalled: { from: ['processing'], to: ['queued', 'failed'], by: 'server' },
  refuse: { from: ['queued'], to: ['failed'], by: 'server' },
  report: { from: ['queued', 'processing'], to: ['completed', 'failed'], by: 'worker' },
  cancel: { from: ['queued', 'processing'], to: ['canceled'], by: 'tenant' },
  remove: { from: ['queued', 'processing', 'completed', 'failed', 'canceled'], to: ['none'], by: 'tenant' },
} as const satisfies Record<string, Transition>

export type TransitionName = keyof typeof TRANSITIONS

/** The transitions that end a job, and how each may end it. */
export type EndingTransition = {
  [Name in TransitionName]: (typeof TRANSITIONS)[Name]['to'][number] &
    ('completed' | 'failed' | 'canceled') extends never
    ? never
    : Name
}[TransitionName]

/** The final states that a transition may lead to. */
export type EndOf<Name extends EndingTransition> = (typeof TRANSITIONS)[Name]['to'][number] &
  ('completed' | 'failed' | 'canceled')
