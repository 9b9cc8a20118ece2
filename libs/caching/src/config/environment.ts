import { readFileSync } from 'node:fs';
import { CachingConfigError } from '../caching.errors.js';
import { kindOf } from '../stores/kind-of.js';

/** Where the values of variables come from: `process.env`, or a function such as `(name) => config.get(name)`. */
export type EnvironmentSource =
  Readonly<Record<string, string | undefined>> | ((variable: string) => string | undefined);

/** The variables of the environment that begin with the prefix. */
export class Environment {
  readonly #source: EnvironmentSource;
  readonly #prefix: string;

  constructor(source: EnvironmentSource, prefix: string) {
    if (typeof prefix !== 'string' || !/^\w{0,32}$/.test(prefix))
      throw new CachingConfigError('prefix', prefix, 'at most 32 letters, digits or "_"', 'CachingConfig');
    this.#source = source;
    this.#prefix = prefix;
  }

  /** The text of a variable. One that is empty is not there: that is how a shell or a compose file unsets it. */
  read(name: string): string | undefined {
    const variable = this.#prefix + name;
    // A configuration service may have turned it into a number or a boolean.
    const value: unknown =
      typeof this.#source === 'function' ? this.#source(variable) : this.#source[variable];
    if (value === undefined || value === null) return undefined;
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')
      throw this.wrong(name, kindOf(value), 'a text');
    const text = String(value).trim();
    return text === '' ? undefined : text;
  }

  /** A secret: the variable's text, or what is in the file that the variable with `_FILE` names. */
  readSecret(name: string): string | undefined {
    const text = this.read(name);
    const file = this.read(`${name}_FILE`);
    if (text !== undefined || file === undefined) return text;
    try {
      // A text editor ends it with a line break, which no secret does.
      return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Where it is no path it may be the secret itself.
      const shown = /[/\\]/.test(file) ? file : '(not shown)';
      throw this.wrong(`${name}_FILE`, shown, `a file that can be read (${code ?? 'it can not'})`);
    }
  }

  /** @param given what is shown of it: never a secret */
  wrong(name: string, given: unknown, allowed: string): CachingConfigError {
    return new CachingConfigError(this.#prefix + name, given, allowed, 'The environment');
  }

  /** Variables with the prefix, for messages. */
  nameOf(name: string): string {
    return this.#prefix + name;
  }
}
