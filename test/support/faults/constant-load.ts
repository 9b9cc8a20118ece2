import { type Answer, HttpClient } from './http-client.js';
import { type Stock, versionIn } from './stock.js';

/** Milliseconds between two requests to the instance under test: 200 a second. */
const EVERY = 5;

/** Every so many requests, the other instance gets one: 50 a second. */
const OTHER_EVERY = 4;

/** Articles that are written and read again and again. */
const ARTICLES = Array.from({ length: 12 }, (_, i) => String(i));

/** Written once, when it is asked for: no later write makes up for one that did not reach the other instance. */
const WRITTEN_ONCE = ['once-0', 'once-1', 'once-2'];

const READ = [...ARTICLES, ...WRITTEN_ONCE];

/** Articles are written ten times a second, one after the other. */
const WRITE_EVERY = 20;

/** Problems that are kept; all are counted. */
const MAX_TOLD = 5;

interface Shops {
  readonly a: { readonly port: number };
  readonly b: { readonly port: number };
}

/**
 * The same load before, in and after a fault: articles that are read often and written now and then, by plain routes
 * and by those that ask the store more than once, and one in five that nobody has asked for before. Each answer is
 * compared, to the letter, with what a handler would have made.
 *
 * All writes go to `a`, where nobody may be given an older version once the writer was answered. What `b` serves is
 * checked as soon as there is something it must know (`expect`).
 */
export class ConstantLoad {
  /** Requests that were answered, and those of them that came from the cache. */
  answered = 0;
  hits = 0;
  /** No answer, or another status than 200. */
  failed = 0;
  /** Another body than a handler makes for this path. */
  wrong = 0;
  /** Versions of before an eviction, served by the instance that evicted. */
  stale = 0;
  /** The first problems, in words. */
  readonly told: string[] = [];
  /** When `b` last served less than was expected of it, as performance.now() has it. */
  lastOldAt = 0;
  readonly #client = new HttpClient();
  readonly #pending = new Set<Promise<void>>();
  #expected: ReadonlyMap<string, number> = new Map();
  readonly #notCurrent = new Set<string>();
  #turn = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(
    private readonly shops: Shops,
    private readonly stock: Stock,
  ) {
    this.#timer = setInterval(() => this.#next(), EVERY);
  }

  /** Writes what is written once. Resolves when it is done. */
  async writeOnce(): Promise<void> {
    await Promise.all(WRITTEN_ONCE.map((id) => this.#begin(this.#write(id))));
  }

  /** From now on `b` should serve these versions, or newer ones. */
  expect(versions: ReadonlyMap<string, number>): void {
    this.#expected = versions;
    for (const id of versions.keys()) this.#notCurrent.add(id);
  }

  /** Whether `b` has served each version that is expected of it, and nothing older after that. */
  get isCurrent(): boolean {
    return this.#notCurrent.size === 0;
  }

  /** Resolves when all that was asked has been answered. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#pending);
    this.#client.close();
  }

  #next(): void {
    const turn = this.#turn++;
    if (turn % OTHER_EVERY === 0) void this.#begin(this.#readOther(one(READ, turn / OTHER_EVERY)));
    void this.#begin(this.#ask(turn));
  }

  #ask(turn: number): Promise<void> {
    const id = one(READ, turn);
    if (turn % WRITE_EVERY === 0) return this.#write(one(ARTICLES, turn / WRITE_EVERY));
    if (turn % 5 === 1) return this.#read('fresh', `n${turn}`);
    if (turn % 10 === 2) return this.#read('late-tags', id);
    if (turn % 10 === 7) return this.#read('leased', id);
    return this.#read('articles', id);
  }

  async #read(route: string, id: string): Promise<void> {
    const { a } = this.shops;
    const settled = this.stock.settled(id);
    const { version, verdict } = await this.#get(a.port, route, id);
    if (version === undefined || version >= settled) return;
    this.stale++;
    this.#tell(`${route}/${id}: version ${version} of ${settled} (${verdict})`);
  }

  async #readOther(id: string): Promise<void> {
    const expected = this.#expected.get(id);
    const { version } = await this.#get(this.shops.b.port, 'articles', id);
    if (version === undefined || expected === undefined) return;
    if (version >= expected) this.#notCurrent.delete(id);
    else {
      this.#notCurrent.add(id);
      this.lastOldAt = performance.now();
    }
  }

  async #get(port: number, route: string, id: string) {
    const path = `/${route}/${id}`;
    const { status, verdict, text } = await this.#client.ask(port, 'GET', path);
    this.#count(path, { status, verdict, text });
    const version = status === 200 ? versionIn(text, id) : undefined;
    if (status === 200 && version === undefined) {
      this.wrong++;
      this.#tell(`${path}: a body of ${text.length} characters, ${text.slice(0, 80)}`);
    }
    return { version, verdict };
  }

  async #write(id: string): Promise<void> {
    const path = `/articles/${id}`;
    const answer = await this.#client.ask(this.shops.a.port, 'PUT', path);
    this.#count(path, answer);
    if (answer.status === 200)
      this.stock.settle(id, (JSON.parse(answer.text) as { version: number }).version);
  }

  #count(path: string, { status, verdict, text }: Answer): void {
    this.answered++;
    if (verdict === 'HIT') this.hits++;
    if (status === 200) return;
    this.failed++;
    this.#tell(`${path}: ${status} ${text.slice(0, 200)}`);
  }

  #begin(asking: Promise<void>): Promise<void> {
    const settled = asking
      .catch((error: unknown) => {
        this.failed++;
        this.#tell(String(error));
      })
      .finally(() => this.#pending.delete(settled));
    this.#pending.add(settled);
    return settled;
  }

  #tell(problem: string): void {
    if (this.told.length < MAX_TOLD) this.told.push(problem);
  }
}

function one(ids: readonly string[], turn: number): string {
  return ids[Math.floor(turn) % ids.length] as string;
}
