/** One thing that a store promises, and what shows whether it keeps it. */
export interface StorePromise {
  /** A sentence without its subject, as in `keeps no body and an empty body apart`. */
  readonly promise: string;
  /** Opens a store, tries it and closes it. Rejects with an `AssertionError` where the promise is broken. */
  readonly check: () => Promise<void>;
}

/** Promises, and what shows each of them on a subject that is opened for it alone. */
export type Chapter<Subject> = Readonly<Record<string, (subject: Subject) => Promise<void>>>;

export function promisesOf<Subject extends { conclude?(): void; close(): Promise<void> }>(
  open: () => Promise<Subject>,
  chapters: readonly Chapter<Subject>[],
): readonly StorePromise[] {
  return chapters.flatMap(Object.entries).map(([promise, show]: [string, Chapter<Subject>[string]]) => ({
    promise,
    check: async () => {
      const subject = await open();
      try {
        await show(subject);
        subject.conclude?.();
      } finally {
        await subject.close();
      }
    },
  }));
}
