import type { CacheEvents } from 'nestjs-caching';

/** One that listens, and can be told not to for a while. */
export class Listener {
  #end: (() => void) | undefined;

  constructor(private readonly begin: () => () => void) {
    this.switch(true);
  }

  switch(on: boolean): void {
    if (on) this.#end ??= this.begin();
    else {
      this.#end?.();
      this.#end = undefined;
    }
  }
}

/** Keeps in `found` all that will listen to events, the module's own metrics among them. */
export function remember({ prototype }: typeof CacheEvents, found: Listener[]): void {
  const { on, count } = Object.getOwnPropertyDescriptors(prototype);
  const register = on.value as CacheEvents['on'];
  prototype.on = function (this: CacheEvents, listener): () => void {
    const own = new Listener(() => register.call(this, listener));
    found.push(own);
    return () => own.switch(false);
  };
  const add = count.value as CacheEvents['count'];
  prototype.count = function (this: CacheEvents, counter): () => void {
    const own = new Listener(() => add.call(this, counter));
    found.push(own);
    return () => own.switch(false);
  };
}
