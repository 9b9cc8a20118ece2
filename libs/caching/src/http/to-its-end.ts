import { finalize, type Observable } from 'rxjs';
import { isPromiseLike, type MaybePromise } from '../cache/maybe-promise.js';
import type { RequestTrace } from '../observe/request-trace.js';

/** Goes on with a request that nothing stored has answered, and has its end told however it comes. */
export function toItsEnd(
  trace: RequestTrace | undefined,
  proceed: () => MaybePromise<Observable<unknown>>,
): MaybePromise<Observable<unknown>> {
  if (trace === undefined) return proceed();
  const watched = (answer: Observable<unknown>): Observable<unknown> =>
    answer.pipe(finalize(() => trace.ends()));
  const failed = (error: unknown): never => {
    trace.ends();
    throw error;
  };
  try {
    const answer = proceed();
    return isPromiseLike(answer) ? answer.then(watched, failed) : watched(answer);
  } catch (error) {
    return failed(error);
  }
}
