import type { ViewKey } from '../../cache/fill.js';
import type { RefreshOutcome, RefreshReason } from '../../observe/cache-event.js';
import type { DispatchOutcome } from '../background/dispatch.js';
import type { Redispatcher } from '../background/redispatch.js';
import { copyRequest } from '../background/request-copy.js';
import type { Exchange } from '../delivery.js';
import type { ViewPolicy } from '../route-policy.js';
import type { RetryLimits } from './retry-limits.js';

/**
 * Renews entries in the background: one run at a time for each key, and fewer for one that fails. What runs is bounded
 * by the dispatcher, so that this is as well.
 */
export class Refresher {
  readonly #running = new Map<string, Promise<DispatchOutcome>>();

  constructor(
    private readonly background: Redispatcher,
    private readonly limits: RetryLimits,
  ) {}

  /**
   * The run that renews an entry: the one that is under way, or a new one. Nothing where there may be none now.
   *
   * @param evenFresh it is renewed before it is stale
   */
  renew(
    policy: ViewPolicy,
    exchange: Exchange,
    view: ViewKey,
    evenFresh = false,
  ): Promise<DispatchOutcome> | undefined {
    const { key } = view;
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const { route } = policy;
    if (!this.background.hasRoom || !this.limits.admit(route, key)) return undefined;
    const request = copyRequest(policy, exchange.request, policy.learned.namesOf(view));
    if (request === undefined) {
      this.limits.failed(route, key);
      return undefined;
    }
    const { trace } = exchange;
    const reason: RefreshReason = 'stale';
    trace?.refresh(reason, 'started');
    const run = this.background.run(request, { purpose: 'refresh', key, evenFresh }).then((outcome) => {
      this.#running.delete(key);
      if (outcome.result === 'stored' || outcome.result === 'present') this.limits.succeeded(route, key);
      else if (!isPutOff(outcome)) this.limits.failed(route, key);
      trace?.refresh(reason, told(outcome));
      return outcome;
    });
    this.#running.set(key, run);
    return run;
  }
}

/** Nothing has failed: there was no room, or the application ends. */
function isPutOff(outcome: DispatchOutcome): boolean {
  return outcome.result === 'dropped' && (outcome.reason === 'busy' || outcome.reason === 'closed');
}

function told(outcome: DispatchOutcome): RefreshOutcome {
  if (outcome.result === 'skipped') return 'skipped';
  if (outcome.result !== 'dropped') return 'stored';
  return outcome.reason === 'deadline' || outcome.reason === 'failed' ? 'failed' : 'dropped';
}
