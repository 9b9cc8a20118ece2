import { systemClock } from '../../../libs/caching/src/cache/clock.js';
import type { Coherence } from '../../../libs/caching/src/stores/tiered.store.js';
import { serveClient, waitForHits } from './clients.js';
import { boundOf, TIMES } from './history-group.js';
import { countAll, type HistoryCount, JudgedInstance } from './judged-instance.js';
import { ProcessInstance } from './process-instance.js';
import { HistoryWorld } from './world.js';

const SIZE = 3;
const CLIENTS = 4;

export interface ProcessGroupOptions {
  /** Path of the program of an instance. */
  readonly program: string;
  readonly url: string;
  readonly coherence: Coherence;
  readonly seed: number;
}

/** Instances in processes of their own, and the clients that they serve until the group is closed. */
export class ProcessGroup {
  readonly world: HistoryWorld;
  readonly #instances: JudgedInstance<ProcessInstance>[];
  readonly #ended: JudgedInstance[] = [];
  readonly #clients: Promise<void>[];
  #isOver = false;

  constructor(private readonly options: ProcessGroupOptions) {
    this.world = new HistoryWorld(systemClock, boundOf(options.coherence));
    this.#instances = Array.from({ length: SIZE }, (_, place) => this.#start(place));
    this.#clients = Array.from({ length: SIZE * CLIENTS }, (_, client) =>
      serveClient(
        options.seed + client,
        () => this.at(client % SIZE),
        () => this.isOver,
      ),
    );
  }

  get isOver(): boolean {
    return this.#isOver || this.world.violations.length > 0;
  }

  get count(): HistoryCount {
    return countAll([...this.#ended, ...this.#instances]);
  }

  at(place: number): JudgedInstance<ProcessInstance> {
    return this.#instances[place % SIZE] as JudgedInstance<ProcessInstance>;
  }

  /** SIGKILL in the middle of what it does, and another process in its place when `pause` is over. */
  async kill(place: number, pause: () => Promise<unknown>): Promise<void> {
    const killed = this.at(place);
    killed.end();
    await killed.instance.kill();
    await pause();
    this.#ended.push(killed);
    this.#instances[place] = this.#start(place);
  }

  /** The clients go home; all of them were served as they should. */
  async finish(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#clients);
    if (this.world.violations.length === 0) await waitForHits(this.#instances);
  }

  async close(): Promise<void> {
    this.#isOver = true;
    for (const each of this.#instances) each.end();
    await Promise.all(this.#instances.map(({ instance }) => instance.kill()));
    await Promise.all(this.#clients);
  }

  #start(place: number): JudgedInstance<ProcessInstance> {
    const { program, url, coherence } = this.options;
    const options = { ...TIMES, url, coherence, coalesceTimeout: 2_000, life: 60_000 };
    const instance = new ProcessInstance(program, options, this.world);
    return new JudgedInstance(`process ${place}`, this.world, instance);
  }
}
