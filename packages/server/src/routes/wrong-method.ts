/** Answers methods that a path does not take with 405 and what it does take. */
import { ApiError } from '../api-error.ts'
import { errorAnswer } from '../http/error-answer.ts'
import type { Route } from './route.ts'

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE']

/** One for each path of the table, with the methods that it is for. HEAD goes where GET does. */
export function wrongMethods(routes: readonly Route[]): { methods: readonly string[]; route: Route }[] {
  const taken = new Map<string, string[]>()
  for (const { path, method } of routes) taken.set(path, [...(taken.get(path) ?? []), method.toUpperCase()])
  return [...taken].map(([path, methods]) => {
    const allow = methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ')
    return {
      methods: METHODS.filter((method) => !methods.includes(method)),
      route: {
        method: 'get',
        path,
        auth: 'none',
        tag: 'server',
        summary: 'Refuse a method',
        hidden: true,
        answers: {},
        answer(context) {
          const refusal = new ApiError('method_not_allowed', `${context.req.method} is not taken here, but ${allow}.`)
          const answer = errorAnswer(refusal, context.get('kinora'))
          answer.headers.set('allow', allow)
          return answer
        },
      },
    }
  })
}
