/** Strangers are few. One who makes up another epoch for each message is not kept from asking for a synchronization. */
const MAX_EPOCHS = 16;

/**
 * Epochs of which messages come that are not this sequence's: a channel belongs to all databases of a server, and to
 * whoever likes to publish. Taken seriously, each message of theirs would be a gap.
 */
export class ForeignEpochs {
  readonly #foreign = new Set<string>();
  readonly #suspected = new Set<string>();

  has(epoch: string): boolean {
    return this.#foreign.has(epoch);
  }

  /** A message of another epoch than the known one has come: it is this sequence's next epoch, or a stranger's. */
  suspect(epoch: string): void {
    if (this.#suspected.size < MAX_EPOCHS) this.#suspected.add(epoch);
  }

  /** Suspected by now, to be judged by the answer to a question that is asked after this. */
  suspects(): readonly string[] {
    return [...this.#suspected];
  }

  /** The sequence was asked after `suspects` were told, and is in the epoch `current`. */
  judge(suspects: readonly string[], current: string): void {
    this.#foreign.delete(current);
    for (const epoch of suspects) {
      this.#suspected.delete(epoch);
      if (epoch !== current) this.#foreign.add(epoch);
    }
    for (const oldest of this.#foreign) {
      if (this.#foreign.size <= MAX_EPOCHS) return;
      this.#foreign.delete(oldest);
    }
  }
}
