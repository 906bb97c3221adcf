/** Validators of the callbacks' arguments, so that an app's own functions say what they take. */
import { type Validator, v } from 'convex/values'
import { eventType, videoJob, videoJobFor } from '../component/job.ts'

/** Arguments of an `onComplete` mutation. */
export const vOnComplete = v.object({ job: videoJob })

/** Arguments of an `onEvent` mutation. */
export const vOnEvent = v.object({ type: eventType, job: videoJob })

/** What an app knows better than the component: its users' ids, and what it passes as `context`. */
export interface OwnValidators<
  UserId extends Validator<string, 'required', string>,
  Context extends Validator<unknown, 'required', string>,
> {
  readonly userId: UserId
  readonly context: Context
}

/** `vOnComplete` with types of the app's own: `vOnCompleteFor({ userId: v.id('users'), context: v.object({ albumId: v.id('albums') }) })`. */
export function vOnCompleteFor<
  UserId extends Validator<string, 'required', string>,
  Context extends Validator<unknown, 'required', string>,
>(own: OwnValidators<UserId, Context>) {
  return v.object({ job: videoJobFor(own) })
}

/** `vOnEvent` with types of the app's own. */
export function vOnEventFor<
  UserId extends Validator<string, 'required', string>,
  Context extends Validator<unknown, 'required', string>,
>(own: OwnValidators<UserId, Context>) {
  return v.object({ type: eventType, job: videoJobFor(own) })
}
