/** A figure of several processes, and how far these differ. */
export interface Figure {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}

/**
 * Of the rounds of each process the median, and of these the median over the processes: V8 does not compile the same
 * code alike in all of them, so that more rounds of one process say nothing of another. Lowest and highest are those of
 * the processes' medians, or of the rounds where there is one process only.
 */
export function overProcesses(processes: readonly (readonly number[])[]): Figure | undefined {
  const measured = processes.filter((rounds) => rounds.length > 0);
  const [only = []] = measured;
  const medians = measured.map(median);
  if (medians.length === 0) return undefined;
  const spread = medians.length === 1 ? only : medians;
  return { median: median(medians), lowest: Math.min(...spread), highest: Math.max(...spread) };
}

/** How often `over` contains what `cpu` takes: made round by round, of runs that stand close to each other. */
export function ratiosOf(
  cpu: readonly (readonly number[])[],
  over: readonly (readonly number[])[],
): number[][] {
  return cpu.map((rounds, process) =>
    rounds.flatMap((mine, round) => {
      const other = over[process]?.[round];
      return other === undefined ? [] : [other / mine];
    }),
  );
}

/** Half the way from the lowest to the highest, in per cent of the median. */
export function spreadOf({ median: middle, lowest, highest }: Figure): number {
  return ((highest - lowest) / 2 / middle) * 100;
}
