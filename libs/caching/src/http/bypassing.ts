import type { Observable } from 'rxjs';
import { type Exchange, fieldsOf, timed } from './delivery.js';
import type { KeyBypass } from './key-strategy.js';
import type { ViewPolicy } from './route-policy.js';

/** Is told of each request that its route's cache has no part in. */
export type OnBypass = (policy: ViewPolicy, reason: KeyBypass['bypass']) => void;

/** The way of a request past the cache, which says why. */
export class Bypassing {
  constructor(private readonly onBypass: OnBypass) {}

  answer(policy: ViewPolicy, exchange: Exchange, { bypass: reason }: KeyBypass): Observable<unknown> {
    exchange.trace?.bypassed(reason);
    this.onBypass(policy, reason);
    const { platform, response, trace } = exchange;
    const fields = fieldsOf(policy, { kind: 'bypass', reason });
    platform.setFields(response, trace === undefined ? fields : timed(trace, platform, response, fields));
    return exchange.handle();
  }
}
