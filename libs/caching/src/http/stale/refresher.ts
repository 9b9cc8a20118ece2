import type { Clock } from '../../cache/clock.js';
import type { ViewKey } from '../../cache/fill.js';
import type { RefreshOutcome } from '../../observe/cache-event.js';
import type { DispatchOutcome, DropReason } from '../background/dispatch.js';
import type { Redispatcher } from '../background/redispatch.js';
import { copyRequest } from '../background/request-copy.js';
import type { Exchange } from '../delivery.js';
import type { ViewPolicy } from '../route-policy.js';
import { RecentMap } from '../../recent-map.js';
import type { RetryLimits } from './retry-limits.js';

/** For how long a key that can't be renewed without its client is left to its clients, in milliseconds. */
const REFUSED_LIFE = 60_000;

/** Keys of which that is remembered. */
const MAX_REFUSED = 10_000;

/** Nothing has been tried: there was no room, the application ends, or another instance was to do it. */
const UNTRIED: ReadonlySet<DropReason> = new Set(['busy', 'closed', 'elsewhere']);

/**
 * Renews entries in the background: one run at a time for each key, and fewer for one that fails. What runs is bounded
 * by the dispatcher, so that this is as well.
 */
export class Refresher {
  readonly #running = new Map<string, Promise<DispatchOutcome>>();
  readonly #refused = new RecentMap<number>(MAX_REFUSED);

  constructor(
    private readonly background: Redispatcher,
    private readonly limits: RetryLimits,
    private readonly clock: Clock,
  ) {}

  /**
   * Whether an entry can be renewed without a client, as far as is known: not where a guard wants the credentials of one,
   * or what was sent can't be sent again. Then the next client's own request has to do it.
   */
  canRenew({ key }: ViewKey): boolean {
    const until = this.#refused.get(key);
    if (until === undefined) return true;
    const left = until - this.clock.now();
    return left <= 0 || left > REFUSED_LIFE;
  }

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
      this.#refuse(key);
      return undefined;
    }
    const { trace } = exchange;
    trace?.refresh('stale', 'started');
    const run = this.background.run(request, { purpose: 'refresh', key, evenFresh }).then((outcome) => {
      this.#running.delete(key);
      this.#note(route, key, outcome);
      trace?.refresh('stale', told(outcome));
      return outcome;
    });
    this.#running.set(key, run);
    return run;
  }

  #note(route: string, key: string, outcome: DispatchOutcome): void {
    if (outcome.result === 'skipped') this.limits.failed(route, key);
    else if (outcome.result !== 'dropped') this.limits.succeeded(route, key);
    else if (outcome.reason === 'deadline') this.limits.failed(route, key);
    else if (!UNTRIED.has(outcome.reason)) this.#refuse(key);
  }

  #refuse(key: string): void {
    this.#refused.set(key, this.clock.now() + REFUSED_LIFE);
  }
}

function told(outcome: DispatchOutcome): RefreshOutcome {
  if (outcome.result === 'skipped') return 'skipped';
  if (outcome.result !== 'dropped') return 'stored';
  return outcome.reason === 'deadline' || outcome.reason === 'failed' ? 'failed' : 'dropped';
}
