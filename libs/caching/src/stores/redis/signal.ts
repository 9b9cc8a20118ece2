/** Something that happens once, or never will: who waits for it is told. */
export class Signal {
  #settle: { resolve(): void; reject(error: Error): void } | undefined;
  readonly #promise = new Promise<void>((resolve, reject) => {
    this.#settle = { resolve, reject };
  });

  constructor() {
    // Whoever waits has the rejection; nobody may.
    this.#promise.catch(() => undefined);
  }

  /** Resolves when it has happened, and rejects when it never will. */
  wait(): Promise<void> {
    return this.#promise;
  }

  give(): void {
    this.#settle?.resolve();
  }

  giveUp(reason: string): void {
    this.#settle?.reject(new Error(reason));
  }
}
