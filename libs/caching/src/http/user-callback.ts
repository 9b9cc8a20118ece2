import { chain, isPromiseLike, type MaybePromise } from '../cache/maybe-promise.js';
import { CacheCallbackError, describe } from '../caching.errors.js';

/** Calls a user's callback; whatever it throws or rejects with becomes an error that names it and its route. */
export function callUser<T>(callback: string, route: string, call: () => MaybePromise<T>): MaybePromise<T> {
  const fail = (cause: unknown): never => {
    throw new CacheCallbackError(
      callback,
      route,
      `failed: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        cause,
      },
    );
  };
  try {
    const result = call();
    return isPromiseLike(result) ? result.then((value) => value, fail) : result;
  } catch (error) {
    return fail(error);
  }
}

/** As `callUser`, for a callback that decides: anything but a boolean is as likely a mistake as a decision. */
export function askUser(
  callback: string,
  route: string,
  call: () => MaybePromise<boolean>,
): MaybePromise<boolean> {
  return chain(callUser(callback, route, call), (answer: unknown) => {
    if (typeof answer === 'boolean') return answer;
    throw new CacheCallbackError(
      callback,
      route,
      `returned ${describe(answer)}; allowed: true or false, at once or with a promise`,
    );
  });
}
