/** A package manager, and what it is told, in this order. */
export interface PackageManager {
  readonly program: string;
  /** Who may run it. `root`: sudo is not asked. */
  readonly as: 'root' | 'root or sudo' | 'anybody';
  readonly steps: readonly (readonly string[])[];
}

export interface WantedPackage {
  /** As people call it. */
  readonly name: string;
  /** The first of these that is there installs it. */
  readonly managers: readonly PackageManager[];
  /** What stands in the environment while it is installed, beside what keeps Debian from asking: `RUNLEVEL=1`. */
  readonly settings?: readonly string[];
  /** Milliseconds, for each step, and for how long another that installs something is waited for. */
  readonly timeout: number;
  /** What to do where it can't be installed: one line. */
  readonly advice: string;
}

/** What `look` finds, at once or after it was installed. @throws Error with the advice, and what went wrong */
export function findOrInstall<T>(look: () => Promise<T | undefined>, wanted: WantedPackage): Promise<T>;

/** The path of a program by its name; nothing where none is on the PATH. */
export function onPath(name: string): Promise<string | undefined>;

export function isProgram(path: string): Promise<boolean>;

/** Never rejects. @param timeout milliseconds */
export function run(
  program: string,
  args: readonly string[],
  timeout: number,
): Promise<{ readonly failed: boolean; readonly output: string }>;
