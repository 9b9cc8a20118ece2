/** What the benchmark and its server processes tell each other. */
export type Question = 'usage' | 'stop' | 'listen' | 'silence';

export interface Started {
  readonly port: number;
}

export interface Usage {
  /** Microseconds of CPU time of the process, in user and in system mode, all of its threads together. */
  readonly cpu: number;
  /** How often the handler ran. */
  readonly runs: number;
}
