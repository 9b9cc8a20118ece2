import { NotStorable, ownCopy } from '../cache/value-gate.js';
import type { RequestTrace } from '../observe/request-trace.js';
import type { Call, Judgement } from './call.js';
import type { CallKey } from './call-keys.js';
import type { MemoPlan } from './memo-plan.js';

/** What is copied of one argument of a call that waits, in bytes of memory: calls that wait are many. */
const MAX_COPY = 16 * 1024;

/**
 * A call of a memoized function, of its arguments as they were when it was made. Who has made it may change them before
 * the function runs, or while it does, and its instance may say that it is another's: then its result is not its key's.
 */
export class MemoCall implements Call {
  readonly rules: MemoPlan;
  readonly key: string;
  readonly #mayChange: boolean;
  #args: readonly unknown[];
  #waits = false;
  #wasChanged = false;

  constructor(
    private readonly plan: MemoPlan,
    private readonly self: unknown,
    args: readonly unknown[],
    private readonly found: CallKey,
    readonly trace: RequestTrace | undefined,
  ) {
    this.rules = plan;
    this.key = found.key;
    this.#args = args;
    this.#mayChange = plan.isIdentified || args.some(isObject);
  }

  tags(): string[] {
    return this.plan.tagsOf(this.found, this.#args);
  }

  /** Data are copied; what can't be is looked at again. */
  waits(): void {
    if (this.#waits || !this.#mayChange) return;
    this.#waits = true;
    this.#args = this.#args.map((value, at) => (this.plan.keys.ignores(at) ? value : copied(value)));
  }

  run(): unknown {
    if (this.#waits) this.#wasChanged = this.#isOther();
    return this.plan.definition.run.apply(this.self, this.#args as unknown[]);
  }

  isChanged(): boolean {
    return this.#wasChanged || (this.#mayChange && this.#isOther());
  }

  judge(result: unknown): Judgement {
    return this.plan.callbacks.judge(result, this.#args);
  }

  #isOther(): boolean {
    return !this.plan.keys.isKeyOf(this.key, this.self, this.#args);
  }
}

function copied(value: unknown): unknown {
  if (!isObject(value)) return value;
  try {
    return ownCopy(value, MAX_COPY).value;
  } catch (error) {
    if (error instanceof NotStorable) return value;
    throw error;
  }
}

function isObject(value: unknown): boolean {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
