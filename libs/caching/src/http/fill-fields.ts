import { type Forwarded, type VerdictFields, verdictFields } from './cache-headers.js';
import { type Downstream, downstreamControl, saysOwnLife } from './hit-fields.js';
import type { StoringVerdict } from './response-filter.js';

/** What a route says about the fields that are added to the response of a fill. */
export interface FillFieldsPolicy {
  readonly debugHeaders: boolean;
  readonly downstream: Downstream | undefined;
}

const NONE: VerdictFields = [];

/** The fields that are added to the response of a fill: what happened, and what caches behind this one may do. */
export class FillFields {
  /** The status of the handler's response where its client gets less than that. */
  forwardedStatus: number | undefined;
  #control: string | undefined;

  constructor(
    private readonly policy: FillFieldsPolicy,
    private readonly fwd: Forwarded,
  ) {}

  /** The `Cache-Control` that was added. */
  get control(): string | undefined {
    return this.#control;
  }

  /**
   * @param isDecided whether the verdict may be told: what only the end of the body can tell may come yet
   * @param now milliseconds since the epoch
   * @param field what the handler's side has said
   */
  of(
    verdict: StoringVerdict | undefined,
    isDecided: boolean,
    now: number,
    field: (name: string) => unknown,
  ): VerdictFields {
    const control = verdict === undefined ? NONE : this.#downstream(verdict, now, field);
    if (!this.policy.debugHeaders) return control;
    const told = verdict?.store ? { store: true as const, ttlMs: verdict.life.freshUntil - now } : verdict;
    const { fwd, forwardedStatus: status } = this;
    return [
      ...control,
      ...verdictFields({ kind: 'fill', fwd, storing: isDecided ? told : undefined, status }),
    ];
  }

  #downstream(verdict: StoringVerdict, now: number, field: (name: string) => unknown): VerdictFields {
    const { downstream } = this.policy;
    if (downstream === undefined) return NONE;
    if (!verdict.store) {
      if (this.#control === undefined) return NONE;
      // It had been told that all may keep it, and then there was a cookie.
      this.#control = 'private';
    } else {
      if (saysOwnLife(field)) return NONE;
      this.#control = downstreamControl(downstream, 0, verdict.life.freshUntil - now);
    }
    return ['Cache-Control', this.#control];
  }
}
