import type { EntryLife } from './entry.js';

/** A life as a head says it, by place. */
export type Life = [
  freshUntil: number,
  ageAtStore: number,
  staleWhileRevalidateUntil: number,
  staleIfErrorUntil: number,
  /** The sum of `LIFE_FLAGS`. */
  flags: number,
];

const LIFE_FIELDS = 5 satisfies Life['length'];

const LIFE_FLAGS = { alwaysRevalidate: 1, staleForbidden: 2 } as const;
const ALL_LIFE_FLAGS = LIFE_FLAGS.alwaysRevalidate + LIFE_FLAGS.staleForbidden;

export function writeLife(life: EntryLife): Life {
  return [
    life.freshUntil,
    life.ageAtStore,
    life.staleWhileRevalidateUntil,
    life.staleIfErrorUntil,
    (life.alwaysRevalidate ? LIFE_FLAGS.alwaysRevalidate : 0) +
      (life.staleForbidden ? LIFE_FLAGS.staleForbidden : 0),
  ];
}

/**
 * The life that a head says, or that it says none.
 *
 * @param ahead by how much the clock of the one who stored is ahead of ours, in milliseconds
 */
export function readLife(given: unknown, expiresAt: number, ahead: number): EntryLife | 'fields' {
  if (!Array.isArray(given) || given.length !== LIFE_FIELDS || !given.every(Number.isSafeInteger))
    return 'fields';
  const [freshUntil, ageAtStore, staleWhileRevalidateUntil, staleIfErrorUntil, flags] = given as Life;
  const areInOrder = [freshUntil, staleWhileRevalidateUntil, staleIfErrorUntil].every(
    (until) => until >= freshUntil && until <= expiresAt,
  );
  if (!areInOrder || ageAtStore < 0 || flags < 0 || flags > ALL_LIFE_FLAGS) return 'fields';
  return {
    freshUntil: freshUntil - ahead,
    ageAtStore,
    staleWhileRevalidateUntil: staleWhileRevalidateUntil - ahead,
    staleIfErrorUntil: staleIfErrorUntil - ahead,
    alwaysRevalidate: (flags & LIFE_FLAGS.alwaysRevalidate) !== 0,
    staleForbidden: (flags & LIFE_FLAGS.staleForbidden) !== 0,
  };
}
