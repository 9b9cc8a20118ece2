/** What a file of `sqlite()` may turn out not to guarantee, in words for a person. */
export const OPEN_TO_ALL =
  'The file of sqlite() can be read or written by everybody on this machine, and may hold responses for one person ' +
  'only: chmod o-rw, or let it be made anew.';

/** @param file its path */
export function damaged(file: string): string {
  return (
    `The file of sqlite() is damaged, or no database: ${file}. Until it is removed, requests run their handlers. ` +
    `If it is this cache's, remove it together with ${file}-wal and ${file}-shm, also while the application runs: another is begun.`
  );
}
