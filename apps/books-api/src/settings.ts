import { randomBytes } from 'node:crypto';

export type Platform = 'express' | 'fastify';

/** Everything that can be set from outside, read once at start. README.md lists the variables. */
export interface Settings {
  readonly platform: Platform;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly cache: boolean;
  /** The cache's dashboard at `/_cache`, and its toolbar on pages: for whoever develops it, on the same machine. */
  readonly dashboard: boolean;
  /** The artificial part of the list query, in milliseconds. */
  readonly slowMs: number;
  /** How long a list is fresh, in milliseconds. */
  readonly listTtlMs: number;
  /** How long an analysis is fresh, in milliseconds. */
  readonly analysisTtlMs: number;
  /** Signs the session cookie. */
  readonly sessionSecret: string;
  /** Absent: the application starts a model service of its own. */
  readonly modelUrl?: string;
  /** Absent: PostgreSQL is embedded and lives in memory. */
  readonly databaseUrl?: string;
  /** Absent: the cache is in memory, for this instance alone. */
  readonly redisUrl?: string;
}

export const SETTINGS = Symbol('SETTINGS');

type Environment = Readonly<Record<string, string | undefined>>;

export function settingsFrom(given: Environment): Settings {
  // An empty variable is how compose files and shells say that there is none.
  const environment: Environment = Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== ''),
  );
  const { MODEL_URL, DATABASE_URL, REDIS_URL } = environment;
  return {
    platform: oneOf(environment, 'PLATFORM', ['express', 'fastify']),
    host: environment.HOST ?? '127.0.0.1',
    port: wholeNumber(environment, 'PORT', 3000),
    cache: oneOf(environment, 'CACHE', ['on', 'off']) === 'on',
    dashboard:
      environment.NODE_ENV !== 'production' && oneOf(environment, 'DASHBOARD', ['on', 'off']) === 'on',
    slowMs: wholeNumber(environment, 'SLOW_MS', 1500),
    listTtlMs: wholeNumber(environment, 'LIST_TTL_MS', 60_000),
    analysisTtlMs: wholeNumber(environment, 'ANALYSIS_TTL_MS', 86_400_000),
    // Without a secret of its own, sessions end with the process: safer than one that everybody can read here.
    sessionSecret: environment.SESSION_SECRET ?? randomBytes(32).toString('hex'),
    ...(MODEL_URL !== undefined && { modelUrl: MODEL_URL }),
    ...(DATABASE_URL !== undefined && { databaseUrl: DATABASE_URL }),
    ...(REDIS_URL !== undefined && { redisUrl: REDIS_URL }),
  };
}

/** The first of the allowed values is the default. */
function oneOf<T extends string>(environment: Environment, name: string, allowed: readonly [T, ...T[]]): T {
  const given = environment[name] ?? allowed[0];
  const match = allowed.find((value) => value === given);
  if (match === undefined) throw new Error(`${name} must be one of ${allowed.join(', ')}, but is "${given}"`);
  return match;
}

function wholeNumber(environment: Environment, name: string, fallback: number): number {
  const given = environment[name];
  if (given === undefined) return fallback;
  if (!/^\d+$/.test(given)) throw new Error(`${name} must be a whole number, but is "${given}"`);
  return Number(given);
}
