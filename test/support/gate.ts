/** Something that waits until a spec lets it go on. */
export class Gate {
  readonly #passed: Promise<void>;
  #open: () => void = () => undefined;
  /** How many have come to it. */
  arrived = 0;

  constructor() {
    this.#passed = new Promise((resolve) => (this.#open = resolve));
  }

  pass(): Promise<void> {
    this.arrived++;
    return this.#passed;
  }

  open(): void {
    this.#open();
  }
}

/** Gates by name, each made when it is first asked for. */
export class Gates {
  readonly #gates = new Map<string, Gate>();

  at(name: string): Gate {
    let gate = this.#gates.get(name);
    if (gate === undefined) this.#gates.set(name, (gate = new Gate()));
    return gate;
  }
}

/** Turns of the event loop: what is under way in this process goes on, and no clock is asked. */
export async function turns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Goes on when `condition` holds, which what was started before brings about; fails where it never does. */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  const giveUp = performance.now() + 15_000;
  while (!condition()) {
    if (performance.now() > giveUp) throw new Error(`This never happened: ${what}`);
    await turns(1);
  }
}
